package dev.platter.nbd.tls;

/**
 * Allows one identity everything: {@code authz-simple} of QEMU. Who proved nothing is denied.
 *
 * @param identity distinguished name as {@link DistinguishedNames} writes it, or PSK identity
 */
public record SimpleAuthorization(String identity) implements Authorization {

    @Override
    public boolean allows(PeerIdentity peer, String export) {
        return peer.kind() != PeerIdentity.Kind.ANONYMOUS && peer.name().equals(identity);
    }
}
