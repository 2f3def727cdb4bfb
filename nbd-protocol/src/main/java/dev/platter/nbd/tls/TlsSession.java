package dev.platter.nbd.tls;

import java.io.IOException;
import java.nio.ByteBuffer;

/**
 * One side of one TLS connection, as bytes to bytes: it knows no socket. {@link #wrap} and {@link #unwrap} may run at the
 * same time in two threads, each of them only once; during the handshake, one thread calls both. After an exception the
 * session is of no use, except that {@link #wrap} may still give the alert that tells the other side why.
 * {@link TlsChannel} drives it.
 */
public interface TlsSession {

    /** What a session did, and what it can do next. */
    enum Status {
        /** Did something; goes on as asked. */
        OK,
        /** {@link #unwrap} needs more records than the buffer holds; {@link #wrap} has nothing to say before it hears more. */
        NEEDS_RECORDS,
        /** The output buffer has no room: {@link #recordBytes} for records, {@link #plainBytes} for plain bytes. */
        NEEDS_ROOM,
        /**
         * As {@link #OK}, and {@link #wrap} has something to say. During the handshake nothing else can be done before;
         * afterwards it can wait until there are plain bytes to send, in whose front it goes.
         */
        NEEDS_WRAP,
        /**
         * From {@link #unwrap}: the other side ended the session by close_notify. From {@link #wrap}: all is said; records
         * may have been put.
         */
        CLOSED
    }

    /**
     * Takes at most one record, gives the plain bytes in it, if there are any.
     *
     * @param records from position to limit; may be changed behind the position
     * @throws IOException if the records are forged, the handshake fails or the peer is not who it must be
     */
    Status unwrap(ByteBuffer records, ByteBuffer plain) throws IOException;

    /**
     * Takes plain bytes, gives at most one record; during the handshake, and for an empty {@code plain}, whatever is due.
     *
     * @throws IOException if the handshake failed
     */
    Status wrap(ByteBuffer plain, ByteBuffer records) throws IOException;

    /** Returns whether the handshake is still going on, or failed. */
    boolean isHandshaking();

    /** Says that nothing more will be sent: the next {@link #wrap} gives close_notify. */
    void closeOutbound();

    /** Returns who the other side is; {@link PeerIdentity#ANONYMOUS} before the handshake is over. */
    PeerIdentity peer();

    /** Returns the room that {@link #wrap} needs; final once the handshake is over. */
    int recordBytes();

    /** Returns the room that {@link #unwrap} needs; final once the handshake is over. */
    int plainBytes();
}
