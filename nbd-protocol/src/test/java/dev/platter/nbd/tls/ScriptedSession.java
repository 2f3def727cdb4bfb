package dev.platter.nbd.tls;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.util.function.Supplier;

/**
 * A session without cryptography: a record is a byte of length and so many bytes. Length 0 is a record without data, 255
 * close_notify, 254 a request that wants an answer, 253 a forged record.
 */
final class ScriptedSession implements TlsSession {
    static final int CLOSE_NOTIFY = 255;
    static final int REQUEST = 254;
    static final int FORGED = 253;
    static final int MAX_PLAIN = 100;

    private final Supplier<Status> handshake;
    private boolean shaken;
    private boolean answerDue;
    private boolean closing;

    /** Shakes no hands. */
    ScriptedSession() {
        this(() -> Status.CLOSED);
        shaken = true;
    }

    /** Shakes hands for ever. */
    ScriptedSession(Supplier<Status> handshake) {
        this.handshake = handshake;
    }

    @Override
    public Status unwrap(ByteBuffer records, ByteBuffer plain) throws IOException {
        if (!records.hasRemaining()) {
            return Status.NEEDS_RECORDS;
        }
        int length = records.get(records.position()) & 0xff;
        if (length == CLOSE_NOTIFY) {
            return Status.CLOSED;
        }
        if (length == FORGED) {
            throw new IOException("forged");
        }
        if (length == REQUEST) {
            records.get();
            answerDue = true;
            return Status.NEEDS_WRAP;
        }
        if (records.remaining() < length + 1) {
            return Status.NEEDS_RECORDS;
        }
        if (plain.remaining() < length) {
            return Status.NEEDS_ROOM;
        }
        records.get();
        plain.put(plain.position(), records, records.position(), length).position(plain.position() + length);
        records.position(records.position() + length);
        return answerDue ? Status.NEEDS_WRAP : Status.OK;
    }

    @Override
    public Status wrap(ByteBuffer plain, ByteBuffer records) {
        if (!shaken) {
            return handshake.get();
        }
        if (records.remaining() < recordBytes()) {
            return Status.NEEDS_ROOM;
        }
        if (answerDue) {
            answerDue = false;
            records.put((byte) REQUEST);
            return Status.OK;
        }
        if (closing) {
            records.put((byte) CLOSE_NOTIFY);
            return Status.CLOSED;
        }
        int length = Math.min(plain.remaining(), MAX_PLAIN);
        records.put((byte) length);
        records.put(records.position(), plain, plain.position(), length).position(records.position() + length);
        plain.position(plain.position() + length);
        return Status.OK;
    }

    @Override
    public boolean isHandshaking() {
        return !shaken;
    }

    @Override
    public void closeOutbound() {
        closing = true;
    }

    @Override
    public PeerIdentity peer() {
        return PeerIdentity.ANONYMOUS;
    }

    @Override
    public int recordBytes() {
        return MAX_PLAIN + 1;
    }

    @Override
    public int plainBytes() {
        return MAX_PLAIN;
    }
}
