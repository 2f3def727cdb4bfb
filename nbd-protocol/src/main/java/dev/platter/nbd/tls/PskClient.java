package dev.platter.nbd.tls;

import java.nio.charset.StandardCharsets;
import java.util.Vector;
import org.bouncycastle.tls.AbstractTlsClient;
import org.bouncycastle.tls.AlertDescription;
import org.bouncycastle.tls.BasicTlsPSKExternal;
import org.bouncycastle.tls.BasicTlsPSKIdentity;
import org.bouncycastle.tls.CertificateStatusRequest;
import org.bouncycastle.tls.PRFAlgorithm;
import org.bouncycastle.tls.ProtocolVersion;
import org.bouncycastle.tls.PskKeyExchangeMode;
import org.bouncycastle.tls.TlsAuthentication;
import org.bouncycastle.tls.TlsFatalAlert;
import org.bouncycastle.tls.TlsPSKIdentity;
import org.bouncycastle.tls.TlsUtils;
import org.bouncycastle.tls.crypto.TlsCrypto;
import org.jspecify.annotations.Nullable;

/** The client's side of a session by a shared key. It accepts no certificate in the place of the key. */
final class PskClient extends AbstractTlsClient implements PskSession.Peer {
    private final String identity;
    private final byte[] key;
    private volatile boolean over;

    PskClient(TlsCrypto crypto, String identity, byte[] key) {
        super(crypto);
        this.identity = identity;
        this.key = key.clone();
    }

    @Override
    public @Nullable String provenIdentity() {
        return over ? identity : null;
    }

    @Override
    public void notifyHandshakeComplete() {
        over = true;
    }

    @Override
    public TlsPSKIdentity getPSKIdentity() {
        return new BasicTlsPSKIdentity(identityBytes(), key);
    }

    @Override
    @SuppressWarnings({"rawtypes", "JdkObsolete"}) // the library's types
    public Vector getExternalPSKs() {
        return TlsUtils.vectorOfOne(new BasicTlsPSKExternal(
                identityBytes(), getCrypto().createSecret(key), PRFAlgorithm.tls13_hkdf_sha256));
    }

    @Override
    public short[] getPskKeyExchangeModes() {
        return new short[] {PskKeyExchangeMode.psk_dhe_ke};
    }

    @Override
    public TlsAuthentication getAuthentication() throws TlsFatalAlert {
        throw new TlsFatalAlert(
                AlertDescription.handshake_failure, "the server shows a certificate, not that it has the key");
    }

    @Override
    protected @Nullable CertificateStatusRequest getCertificateStatusRequest() {
        return null;
    }

    @Override
    protected ProtocolVersion[] getSupportedVersions() {
        return PskServer.VERSIONS.clone();
    }

    @Override
    protected int[] getSupportedCipherSuites() {
        return TlsUtils.getSupportedCipherSuites(getCrypto(), PskServer.CIPHER_SUITES);
    }

    private byte[] identityBytes() {
        return identity.getBytes(StandardCharsets.UTF_8);
    }
}
