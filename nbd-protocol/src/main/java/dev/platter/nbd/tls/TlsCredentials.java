package dev.platter.nbd.tls;

import java.io.IOException;
import org.jspecify.annotations.Nullable;

/** What one side shows of itself and asks of the other in TLS. Safe for many threads; sessions are made one a connection. */
public interface TlsCredentials {

    /**
     * Begins the client's side of a session.
     *
     * @param host name or address that the server's certificate must carry; null where there is none, as on a Unix socket.
     *     Credentials that verify host names then refuse
     * @throws IOException if these credentials cannot be a client's; the message says what is missing
     */
    TlsSession clientSession(@Nullable String host) throws IOException;

    /**
     * Begins the server's side of a session.
     *
     * @throws IOException if these credentials cannot be a server's; the message says what is missing
     */
    TlsSession serverSession() throws IOException;
}
