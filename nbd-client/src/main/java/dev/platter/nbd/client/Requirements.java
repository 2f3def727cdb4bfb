package dev.platter.nbd.client;

import dev.platter.nbd.tls.TlsCredentials;
import org.jspecify.annotations.Nullable;

/**
 * What a handshake has to achieve.
 *
 * @param description begins every message
 * @param tls what TLS is required with, or null for none at all
 */
record Requirements(String description, @Nullable Tls tls) {

    /**
     * What TLS is required with.
     *
     * @param host what the certificate of the server must name, or null where there is no such name
     */
    record Tls(TlsCredentials credentials, @Nullable String host) {}
}
