package dev.platter.nbd.tls;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.security.SecureRandom;
import java.util.Map;
import java.util.concurrent.locks.ReentrantLock;
import org.bouncycastle.tls.AlertDescription;
import org.bouncycastle.tls.TlsClientProtocol;
import org.bouncycastle.tls.TlsFatalAlert;
import org.bouncycastle.tls.TlsFatalAlertReceived;
import org.bouncycastle.tls.TlsProtocol;
import org.bouncycastle.tls.TlsServerProtocol;
import org.bouncycastle.tls.crypto.TlsCrypto;
import org.bouncycastle.tls.crypto.impl.jcajce.JcaTlsCryptoProvider;
import org.jspecify.annotations.Nullable;

/**
 * A session by a shared key, over BouncyCastle's protocol without streams. Its ciphers are the JDK's, which are faster than
 * its own. It is given one record at a time, as it would buffer any number of them.
 */
final class PskSession implements TlsSession {
    private static final int RECORD_HEADER = 5;
    private static final int MAX_PLAIN = 1 << 14;
    /** A record of TLS 1.2 may be that much longer than what it holds; RFC 5246, 6.2.3. */
    private static final int MAX_RECORD = RECORD_HEADER + MAX_PLAIN + 2048;

    private final TlsProtocol protocol;
    private final Peer peer;
    /** BouncyCastle lets one thread read and one write, but not take the output at the same time. */
    private final ReentrantLock lock = new ReentrantLock();

    private final byte[] bytes = new byte[MAX_RECORD];

    /** Whether the last message of the handshake is given too; the library calls it complete when it has made that. */
    private volatile boolean over;

    /** What stands on this side of the protocol. */
    interface Peer {
        /** Returns whose key proved right; null until the handshake is over. */
        @Nullable
        String provenIdentity();
    }

    private PskSession(TlsProtocol protocol, Peer peer) {
        this.protocol = protocol;
        this.peer = peer;
    }

    /** Does nothing, and fails where the library is missing: {@link LinkageError}. */
    static void requireLibrary() {
        PskServer.requireLibrary();
    }

    static PskSession client(String identity, byte[] key) throws IOException {
        PskClient peer = new PskClient(crypto(), identity, key);
        TlsClientProtocol protocol = new TlsClientProtocol();
        protocol.connect(peer);
        return new PskSession(protocol, peer);
    }

    static PskSession server(Map<String, byte[]> keys) throws IOException {
        PskServer peer = new PskServer(crypto(), keys);
        TlsServerProtocol protocol = new TlsServerProtocol();
        protocol.accept(peer);
        return new PskSession(protocol, peer);
    }

    @Override
    public Status unwrap(ByteBuffer records, ByteBuffer plain) throws IOException {
        lock.lock();
        try {
            if (protocol.getAvailableInputBytes() == 0) {
                if (protocol.isClosed()) {
                    return Status.CLOSED;
                }
                int length = recordLength(records);
                if (records.remaining() < length) {
                    return Status.NEEDS_RECORDS;
                }
                records.get(bytes, 0, length);
                protocol.offerInput(bytes, 0, length);
            }
            int length = protocol.getAvailableInputBytes();
            if (length > 0 && !plain.hasRemaining()) {
                return Status.NEEDS_ROOM;
            }
            length = protocol.readInput(bytes, 0, Math.min(length, Math.min(plain.remaining(), bytes.length)));
            plain.put(bytes, 0, length);
            noteEnd();
            return protocol.getAvailableOutputBytes() > 0 ? Status.NEEDS_WRAP : Status.OK;
        } catch (IOException e) {
            throw explained(e);
        } finally {
            lock.unlock();
        }
    }

    @Override
    public Status wrap(ByteBuffer plain, ByteBuffer records) throws IOException {
        lock.lock();
        try {
            if (protocol.getAvailableOutputBytes() == 0) {
                if (protocol.isClosed()) {
                    return Status.CLOSED;
                }
                if (isHandshaking()) {
                    return Status.NEEDS_RECORDS;
                }
                if (records.remaining() < MAX_RECORD) {
                    return Status.NEEDS_ROOM;
                }
                int length = Math.min(plain.remaining(), Math.min(MAX_PLAIN, protocol.getApplicationDataLimit()));
                plain.get(bytes, 0, length);
                protocol.writeApplicationData(bytes, 0, length);
            }
            int length = Math.min(protocol.getAvailableOutputBytes(), Math.min(records.remaining(), bytes.length));
            if (length == 0 && protocol.getAvailableOutputBytes() > 0) {
                return Status.NEEDS_ROOM;
            }
            records.put(bytes, 0, protocol.readOutput(bytes, 0, length));
            noteEnd();
            return Status.OK;
        } catch (IOException e) {
            throw explained(e);
        } finally {
            lock.unlock();
        }
    }

    @Override
    public boolean isHandshaking() {
        return !over;
    }

    @Override
    public void closeOutbound() {
        lock.lock();
        try {
            protocol.close();
        } catch (IOException e) {
            // It is closed all the same; what could not be said is not said.
            return;
        } finally {
            lock.unlock();
        }
    }

    @Override
    public PeerIdentity peer() {
        String identity = peer.provenIdentity();
        return identity == null || !over ? PeerIdentity.ANONYMOUS : new PeerIdentity(PeerIdentity.Kind.PSK, identity);
    }

    @Override
    public int recordBytes() {
        return MAX_RECORD;
    }

    @Override
    public int plainBytes() {
        return MAX_PLAIN;
    }

    private void noteEnd() {
        if (!over && peer.provenIdentity() != null && protocol.getAvailableOutputBytes() == 0) {
            over = true;
        }
    }

    /** Returns the length of the record that begins at the position; more than is there if it cannot be told yet. */
    private static int recordLength(ByteBuffer records) throws IOException {
        if (records.remaining() < RECORD_HEADER) {
            return RECORD_HEADER;
        }
        int length = RECORD_HEADER + Short.toUnsignedInt(records.getShort(records.position() + 3));
        if (length > MAX_RECORD) {
            throw new IOException("TLS: a record of " + length + " bytes, longer than " + MAX_RECORD);
        }
        return length;
    }

    private static IOException explained(IOException e) {
        if (e instanceof TlsFatalAlertReceived alert) {
            return new IOException("Received fatal alert: " + AlertDescription.getName(alert.getAlertDescription()), e);
        }
        if (e instanceof TlsFatalAlert alert) {
            return new IOException(
                    switch (alert.getAlertDescription()) {
                        case AlertDescription.decrypt_error, AlertDescription.bad_record_mac ->
                            "the key of the other side is not the same, or the connection was tampered with ("
                                    + AlertDescription.getName(alert.getAlertDescription()) + ")";
                        default -> AlertDescription.getName(alert.getAlertDescription());
                    },
                    e);
        }
        return e;
    }

    private static TlsCrypto crypto() {
        return new JcaTlsCryptoProvider().create(new SecureRandom());
    }
}
