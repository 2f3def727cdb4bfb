package dev.platter.nbd.tls;

/** Decides who may use what. Safe for many threads. */
@FunctionalInterface
public interface Authorization {

    /**
     * Returns whether somebody may use an export.
     *
     * @param identity as proved; {@link PeerIdentity.Kind#ANONYMOUS} proved nothing
     * @param export name of the export; empty for the default one
     */
    boolean allows(PeerIdentity identity, String export);
}
