package dev.platter.nbd.tls;

import java.nio.ByteBuffer;
import java.nio.charset.CharacterCodingException;
import java.nio.charset.StandardCharsets;
import java.util.Map;
import java.util.Vector;
import org.bouncycastle.tls.AbstractTlsServer;
import org.bouncycastle.tls.AlertDescription;
import org.bouncycastle.tls.BasicTlsPSKExternal;
import org.bouncycastle.tls.CipherSuite;
import org.bouncycastle.tls.PRFAlgorithm;
import org.bouncycastle.tls.ProtocolVersion;
import org.bouncycastle.tls.PskIdentity;
import org.bouncycastle.tls.TlsCredentials;
import org.bouncycastle.tls.TlsFatalAlert;
import org.bouncycastle.tls.TlsPSKExternal;
import org.bouncycastle.tls.TlsPSKIdentityManager;
import org.bouncycastle.tls.TlsUtils;
import org.bouncycastle.tls.crypto.TlsCrypto;
import org.jspecify.annotations.Nullable;

/**
 * The server's side of a session by a shared key. An identity that is not known gets a key that nobody has, so that who tries
 * does not learn which ones are.
 */
final class PskServer extends AbstractTlsServer implements PskSession.Peer {
    static final ProtocolVersion[] VERSIONS = {ProtocolVersion.TLSv13, ProtocolVersion.TLSv12};

    /** In TLS 1.3 a key belongs to a hash, SHA-256 unless agreed otherwise: no suite with another one. */
    static final int[] CIPHER_SUITES = {
        CipherSuite.TLS_AES_128_GCM_SHA256,
        CipherSuite.TLS_CHACHA20_POLY1305_SHA256,
        CipherSuite.TLS_ECDHE_PSK_WITH_AES_128_GCM_SHA256,
        CipherSuite.TLS_ECDHE_PSK_WITH_AES_256_GCM_SHA384,
        CipherSuite.TLS_ECDHE_PSK_WITH_CHACHA20_POLY1305_SHA256,
        CipherSuite.TLS_ECDHE_PSK_WITH_AES_128_CBC_SHA256,
        CipherSuite.TLS_DHE_PSK_WITH_AES_128_GCM_SHA256,
        CipherSuite.TLS_DHE_PSK_WITH_AES_256_GCM_SHA384,
        CipherSuite.TLS_DHE_PSK_WITH_CHACHA20_POLY1305_SHA256,
        CipherSuite.TLS_DHE_PSK_WITH_AES_128_CBC_SHA256,
    };

    private static final int RANDOM_KEY_BYTES = 32;

    private final Map<String, byte[]> keys;
    private @Nullable String claimed;
    private volatile @Nullable String proven;

    PskServer(TlsCrypto crypto, Map<String, byte[]> keys) {
        super(crypto);
        this.keys = keys;
    }

    /** Does nothing; the class cannot be initialised where the library is missing. */
    static void requireLibrary() {}

    @Override
    public @Nullable String provenIdentity() {
        return proven;
    }

    @Override
    public void notifyHandshakeComplete() throws TlsFatalAlert {
        if (claimed == null) {
            throw new TlsFatalAlert(AlertDescription.internal_error, "the handshake used no key");
        }
        proven = claimed;
    }

    @Override
    public TlsPSKIdentityManager getPSKIdentityManager() {
        return new TlsPSKIdentityManager() {
            @Override
            public byte @Nullable [] getHint() {
                return null;
            }

            @Override
            public byte[] getPSK(byte[] identity) {
                return claim(identity);
            }
        };
    }

    @Override
    @SuppressWarnings({"rawtypes", "JdkObsolete"}) // the library's types
    public @Nullable TlsPSKExternal getExternalPSK(Vector identities) {
        byte[] chosen = null;
        for (Object offered : identities) {
            if (offered instanceof PskIdentity one) {
                if (isKnown(one.getIdentity())) {
                    chosen = one.getIdentity();
                    break;
                }
                chosen = chosen == null ? one.getIdentity() : chosen;
            }
        }
        return chosen == null
                ? null
                : new BasicTlsPSKExternal(
                        chosen, getCrypto().createSecret(claim(chosen)), PRFAlgorithm.tls13_hkdf_sha256);
    }

    /** Only asked for where no key was chosen in TLS 1.3; older suites that use a key need none. */
    @Override
    public @Nullable TlsCredentials getCredentials() throws TlsFatalAlert {
        if (TlsUtils.isTLSv13(context)) {
            throw new TlsFatalAlert(AlertDescription.handshake_failure, "the client offers no shared key");
        }
        return null;
    }

    @Override
    protected ProtocolVersion[] getSupportedVersions() {
        return VERSIONS.clone();
    }

    @Override
    protected int[] getSupportedCipherSuites() {
        return TlsUtils.getSupportedCipherSuites(getCrypto(), CIPHER_SUITES);
    }

    private boolean isKnown(byte[] identity) {
        String name = name(identity);
        return name != null && keys.containsKey(name);
    }

    private byte[] claim(byte[] identity) {
        String name = name(identity);
        byte[] key = name == null ? null : keys.get(name);
        if (key == null) {
            claimed = null;
            byte[] nobodys = new byte[RANDOM_KEY_BYTES];
            getCrypto().getSecureRandom().nextBytes(nobodys);
            return nobodys;
        }
        claimed = name;
        return key.clone();
    }

    private static @Nullable String name(byte[] identity) {
        try {
            return StandardCharsets.UTF_8
                    .newDecoder()
                    .decode(ByteBuffer.wrap(identity))
                    .toString();
        } catch (CharacterCodingException e) {
            return null;
        }
    }
}
