package dev.platter.nbd.tls;

/**
 * Who is at the other end of a connection, as far as it proved that.
 *
 * @param kind how it proved it
 * @param name distinguished name of its certificate, rendered as the peer tools do (in the certificate's order, RFC 4514
 *     escapes, no blanks: {@code C=GB,O=Example\, Org,CN=laptop}), or its PSK identity; empty for {@link Kind#ANONYMOUS}
 */
public record PeerIdentity(Kind kind, String name) {
    /** Somebody of whom nothing is known. */
    public static final PeerIdentity ANONYMOUS = new PeerIdentity(Kind.ANONYMOUS, "");

    /** How an identity was proved. */
    public enum Kind {
        /** Not at all: no TLS, or TLS without a certificate of this side. */
        ANONYMOUS,
        /** By a verified X.509 certificate. */
        X509,
        /** By a shared key. */
        PSK
    }
}
