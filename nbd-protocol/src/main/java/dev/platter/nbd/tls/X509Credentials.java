package dev.platter.nbd.tls;

import com.google.common.net.InetAddresses;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.GeneralSecurityException;
import java.security.KeyStore;
import java.security.PrivateKey;
import java.security.cert.CertificateExpiredException;
import java.security.cert.CertificateNotYetValidException;
import java.security.cert.X509CRL;
import java.security.cert.X509Certificate;
import java.util.List;
import javax.net.ssl.KeyManager;
import javax.net.ssl.SNIHostName;
import javax.net.ssl.SNIServerName;
import javax.net.ssl.SSLContext;
import javax.net.ssl.SSLEngine;
import javax.net.ssl.SSLParameters;
import javax.net.ssl.TrustManager;
import javax.net.ssl.TrustManagerFactory;
import javax.net.ssl.X509ExtendedTrustManager;
import org.jspecify.annotations.Nullable;

/**
 * Certificates in files of PEM, in QEMU's layout: {@value #CA_CERTIFICATE}, {@value #CA_REVOCATION_LIST} if there is one, and
 * {@value #SERVER_CERTIFICATE} with {@value #SERVER_KEY}, or {@value #CLIENT_CERTIFICATE} with {@value #CLIENT_KEY}, which a
 * client may do without. The peer is verified unless told otherwise: a client verifies chain and host name, a server wants a
 * certificate of its client. TLS 1.2 or later.
 *
 * <p>Safe for many threads.
 */
public final class X509Credentials implements TlsCredentials {
    /** Certificates of the authorities that are trusted. */
    public static final String CA_CERTIFICATE = "ca-cert.pem";

    /** Certificates that the authorities revoked. */
    public static final String CA_REVOCATION_LIST = "ca-crl.pem";

    public static final String SERVER_CERTIFICATE = "server-cert.pem";
    public static final String SERVER_KEY = "server-key.pem";
    public static final String CLIENT_CERTIFICATE = "client-cert.pem";
    public static final String CLIENT_KEY = "client-key.pem";

    private static final String[] PROTOCOLS = {"TLSv1.3", "TLSv1.2"};

    private final @Nullable Path directory;
    private final boolean server;
    private final boolean verifyPeer;
    private final boolean sanityCheck;
    private final @Nullable String keyPassword;

    /** Replaced as a whole; a session stays with the one that it began with. */
    private volatile SSLContext context;

    private X509Credentials(Builder from) throws IOException {
        directory = from.directory;
        server = from.server;
        verifyPeer = from.verifyPeer;
        sanityCheck = from.sanityCheck;
        keyPassword = from.keyPassword;
        context = read();
    }

    /** Begins with the credentials of a client in a folder. */
    public static Builder client(Path directory) {
        return new Builder(directory, false);
    }

    /** Begins with the credentials of a server in a folder. */
    public static Builder server(Path directory) {
        return new Builder(directory, true);
    }

    /**
     * Returns credentials of a client that trusts whom the JDK trusts, and shows nothing of itself.
     *
     * @throws IOException if the JDK's authorities cannot be read
     */
    public static X509Credentials systemTrust() throws IOException {
        return new Builder(null, false).read();
    }

    /**
     * Reads the files again. Sessions that begin later use what is in them now; those that go on are not touched.
     *
     * @throws IOException if something is wrong with the files; then all stays as it was
     */
    public void reload() throws IOException {
        context = read();
    }

    @Override
    public TlsSession clientSession(@Nullable String host) throws IOException {
        if (server) {
            throw new IOException("Expected TLS credentials for a client endpoint");
        }
        // The dot that makes a name absolute is not in certificates.
        String name = host != null && host.endsWith(".") ? host.substring(0, host.length() - 1) : host;
        if (verifyPeer && (name == null || name.isEmpty())) {
            throw new IOException("No hostname for certificate validation: name the host that the server's certificate"
                    + " is for, or turn verification off");
        }
        SSLEngine engine = name == null ? context.createSSLEngine() : context.createSSLEngine(name, -1);
        engine.setUseClientMode(true);
        SSLParameters parameters = engine.getSSLParameters();
        parameters.setProtocols(PROTOCOLS);
        parameters.setServerNames(serverNames(name));
        if (verifyPeer) {
            parameters.setEndpointIdentificationAlgorithm("HTTPS");
        }
        engine.setSSLParameters(parameters);
        return new EngineSession(engine, verifyPeer);
    }

    @Override
    public TlsSession serverSession() throws IOException {
        if (!server) {
            throw new IOException("Expected TLS credentials for a server endpoint");
        }
        SSLEngine engine = context.createSSLEngine();
        engine.setUseClientMode(false);
        SSLParameters parameters = engine.getSSLParameters();
        parameters.setProtocols(PROTOCOLS);
        parameters.setNeedClientAuth(verifyPeer);
        engine.setSSLParameters(parameters);
        return new EngineSession(engine, verifyPeer);
    }

    private static List<SNIServerName> serverNames(@Nullable String name) {
        if (name == null || name.isEmpty() || InetAddresses.isInetAddress(name)) {
            return List.of();
        }
        try {
            return List.of(new SNIHostName(name));
        } catch (IllegalArgumentException e) {
            // Names with an underscore, say: in a certificate they may be, in this message not.
            return List.of();
        }
    }

    private SSLContext read() throws IOException {
        try {
            SSLContext read = SSLContext.getInstance("TLS");
            read.init(own(), new TrustManager[] {trust()}, null);
            return read;
        } catch (GeneralSecurityException e) {
            throw new IOException("TLS credentials cannot be used: " + e.getMessage(), e);
        }
    }

    private TrustManager trust() throws IOException, GeneralSecurityException {
        KeyStore authorities = null;
        List<X509CRL> revoked = List.of();
        if (directory != null) {
            authorities = KeyStore.getInstance(KeyStore.getDefaultType());
            authorities.load(null, null);
            for (X509Certificate certificate : certificates(directory.resolve(CA_CERTIFICATE))) {
                authorities.setCertificateEntry(Integer.toString(authorities.size()), certificate);
            }
            Path list = directory.resolve(CA_REVOCATION_LIST);
            revoked = Files.exists(list) ? PemFiles.revocationLists(list) : List.of();
        }
        if (!verifyPeer) {
            return new BlindTrust();
        }
        TrustManagerFactory factory = TrustManagerFactory.getInstance("PKIX");
        factory.init(authorities);
        for (TrustManager manager : factory.getTrustManagers()) {
            if (manager instanceof X509ExtendedTrustManager chains) {
                return new CertificateTrust(chains, revoked);
            }
        }
        throw new GeneralSecurityException("the JDK verifies no certificates");
    }

    private KeyManager @Nullable [] own() throws IOException, GeneralSecurityException {
        if (directory == null) {
            return null;
        }
        Path certificateFile = directory.resolve(server ? SERVER_CERTIFICATE : CLIENT_CERTIFICATE);
        Path keyFile = directory.resolve(server ? SERVER_KEY : CLIENT_KEY);
        if (!server && !Files.exists(certificateFile) && !Files.exists(keyFile)) {
            return null;
        }
        List<X509Certificate> chain = certificates(certificateFile);
        PrivateKey key = PrivateKeys.read(keyFile, keyPassword);
        if (!PrivateKeys.isPair(key, chain.get(0).getPublicKey())) {
            throw new IOException(keyFile + " is not the key of " + certificateFile);
        }
        return new KeyManager[] {new OwnCertificate(chain, key)};
    }

    private List<X509Certificate> certificates(Path file) throws IOException {
        List<X509Certificate> certificates = PemFiles.certificates(file);
        if (sanityCheck) {
            for (X509Certificate certificate : certificates) {
                try {
                    certificate.checkValidity();
                } catch (CertificateExpiredException e) {
                    throw new IOException("The certificate " + file + " has expired (" + e.getMessage() + ")", e);
                } catch (CertificateNotYetValidException e) {
                    throw new IOException("The certificate " + file + " is not yet active (" + e.getMessage() + ")", e);
                }
            }
        }
        return certificates;
    }

    /** Says how {@link X509Credentials} are used. Not safe for several threads. */
    public static final class Builder {
        private final @Nullable Path directory;
        private final boolean server;
        private boolean verifyPeer = true;
        private boolean sanityCheck = true;
        private @Nullable String keyPassword;

        private Builder(@Nullable Path directory, boolean server) {
            this.directory = directory;
            this.server = server;
        }

        /**
         * Sets whether the peer is verified. A client that does not verify talks to anybody who answers; a server that does
         * not asks for no certificate, and everybody is {@link PeerIdentity#ANONYMOUS}.
         */
        public Builder verifyPeer(boolean verify) {
            verifyPeer = verify;
            return this;
        }

        /** Sets whether certificates of this side's files that are not valid today are refused when they are read. */
        public Builder sanityCheck(boolean check) {
            sanityCheck = check;
            return this;
        }

        /** Sets what decrypts the private key. It is kept for {@link X509Credentials#reload}. */
        public Builder keyPassword(String password) {
            keyPassword = password;
            return this;
        }

        /**
         * Reads the files.
         *
         * @throws IOException if one is missing or holds something else; the message names it
         */
        public X509Credentials read() throws IOException {
            return new X509Credentials(this);
        }
    }
}
