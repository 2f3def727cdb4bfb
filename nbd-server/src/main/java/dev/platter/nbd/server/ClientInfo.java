package dev.platter.nbd.server;

import dev.platter.nbd.tls.PeerIdentity;
import java.time.Instant;
import org.jspecify.annotations.Nullable;

/**
 * A client as it is now.
 *
 * @param id number of the connection, unique in its server
 * @param address where it comes from, in words
 * @param identity who it proved to be
 * @param export name of the export it uses; null while it has chosen none
 * @param since when it was accepted
 * @param requests requests taken so far
 * @param bytesRead bytes that it asked to read so far
 * @param bytesWritten bytes that it asked to write so far
 */
public record ClientInfo(
        long id,
        String address,
        PeerIdentity identity,
        @Nullable String export,
        Instant since,
        long requests,
        long bytesRead,
        long bytesWritten) {}
