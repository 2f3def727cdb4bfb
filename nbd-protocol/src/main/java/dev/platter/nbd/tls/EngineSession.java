package dev.platter.nbd.tls;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.security.cert.X509Certificate;
import javax.net.ssl.SSLEngine;
import javax.net.ssl.SSLEngineResult;
import javax.net.ssl.SSLEngineResult.HandshakeStatus;
import javax.net.ssl.SSLException;
import javax.net.ssl.SSLPeerUnverifiedException;
import org.jspecify.annotations.Nullable;

/** A session by certificates, over the JDK's engine. That one has a lock around all it does, and may be used by two threads. */
final class EngineSession implements TlsSession {
    private final SSLEngine engine;
    private final boolean verifiesPeer;

    /** Null until the handshake is over. */
    private volatile @Nullable PeerIdentity peer;

    EngineSession(SSLEngine engine, boolean verifiesPeer) throws IOException {
        this.engine = engine;
        this.verifiesPeer = verifiesPeer;
        engine.beginHandshake();
    }

    @Override
    public Status unwrap(ByteBuffer records, ByteBuffer plain) throws IOException {
        SSLEngineResult result = engine.unwrap(records, plain);
        return switch (result.getStatus()) {
            case BUFFER_UNDERFLOW -> Status.NEEDS_RECORDS;
            case BUFFER_OVERFLOW -> Status.NEEDS_ROOM;
            case CLOSED -> Status.CLOSED;
            case OK -> proceed(result.getHandshakeStatus());
        };
    }

    @Override
    public Status wrap(ByteBuffer plain, ByteBuffer records) throws IOException {
        if (isHandshaking() && isToHear(engine.getHandshakeStatus())) {
            return Status.NEEDS_RECORDS;
        }
        SSLEngineResult result = engine.wrap(plain, records);
        return switch (result.getStatus()) {
            case BUFFER_UNDERFLOW -> Status.NEEDS_RECORDS;
            case BUFFER_OVERFLOW -> Status.NEEDS_ROOM;
            case CLOSED -> Status.CLOSED;
            case OK -> proceed(result.getHandshakeStatus());
        };
    }

    @Override
    public boolean isHandshaking() {
        return peer == null;
    }

    @Override
    public void closeOutbound() {
        engine.closeOutbound();
    }

    @Override
    public PeerIdentity peer() {
        PeerIdentity known = peer;
        return known == null ? PeerIdentity.ANONYMOUS : known;
    }

    @Override
    public int recordBytes() {
        return engine.getSession().getPacketBufferSize();
    }

    @Override
    public int plainBytes() {
        return engine.getSession().getApplicationBufferSize();
    }

    private Status proceed(HandshakeStatus reported) throws IOException {
        HandshakeStatus status = reported;
        while (status == HandshakeStatus.NEED_TASK) {
            if (!isHandshaking()) {
                // Only TLS 1.2 has that. It costs this side more than the other one, and may change who that is.
                throw new SSLException("TLS: the other side asks for a new handshake, which is not allowed");
            }
            for (Runnable task = engine.getDelegatedTask(); task != null; task = engine.getDelegatedTask()) {
                task.run();
            }
            status = engine.getHandshakeStatus();
        }
        if (isHandshaking() && (status == HandshakeStatus.FINISHED || status == HandshakeStatus.NOT_HANDSHAKING)) {
            peer = identify();
        }
        return status == HandshakeStatus.NEED_WRAP ? Status.NEEDS_WRAP : Status.OK;
    }

    private PeerIdentity identify() throws IOException {
        if (!verifiesPeer) {
            return PeerIdentity.ANONYMOUS;
        }
        try {
            return engine.getSession().getPeerCertificates()[0] instanceof X509Certificate certificate
                    ? new PeerIdentity(
                            PeerIdentity.Kind.X509, DistinguishedNames.render(certificate.getSubjectX500Principal()))
                    : PeerIdentity.ANONYMOUS;
        } catch (SSLPeerUnverifiedException e) {
            return PeerIdentity.ANONYMOUS;
        }
    }

    private static boolean isToHear(HandshakeStatus status) {
        return status == HandshakeStatus.NEED_UNWRAP || status == HandshakeStatus.NEED_UNWRAP_AGAIN;
    }
}
