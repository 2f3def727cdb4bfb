package dev.platter.nbd.tls;

import java.io.IOException;
import java.nio.ByteBuffer;

/**
 * One side of one TLS connection, as bytes to bytes: it knows no socket. {@link #wrap} and {@link #unwrap} may run at the
 * same time in two threads, each of them only once. {@link TlsChannel} drives it.
 */
public interface TlsSession {

    /** What a session can do next. */
    enum Status {
        /** Goes on as asked. */
        OK,
        /** {@link #unwrap} needs more records than the buffer holds. */
        NEEDS_RECORDS,
        /** The output buffer has no room: {@link #recordBytes} for records, {@link #plainBytes} for plain bytes. */
        NEEDS_ROOM,
        /** {@link #wrap} must run, with nothing to say if need be, before anything else can. */
        NEEDS_WRAP,
        /** The other side ended the session by close_notify, or this side did and all is said. */
        CLOSED
    }

    /**
     * Takes records, gives the plain bytes in them.
     *
     * @throws IOException if the records are forged, the handshake fails or the peer is not who it must be
     */
    Status unwrap(ByteBuffer records, ByteBuffer plain) throws IOException;

    /**
     * Takes plain bytes, gives records; during the handshake, and for an empty {@code plain}, whatever is due.
     *
     * @throws IOException if the handshake failed
     */
    Status wrap(ByteBuffer plain, ByteBuffer records) throws IOException;

    /** Returns whether the handshake is still going on. */
    boolean isHandshaking();

    /** Says that nothing more will be sent: the next {@link #wrap} gives close_notify. */
    void closeOutbound();

    /** Returns who the other side is; {@link PeerIdentity#ANONYMOUS} before the handshake is over. */
    PeerIdentity peer();

    /** Returns the room that {@link #wrap} needs. */
    int recordBytes();

    /** Returns the room that {@link #unwrap} needs. */
    int plainBytes();
}
