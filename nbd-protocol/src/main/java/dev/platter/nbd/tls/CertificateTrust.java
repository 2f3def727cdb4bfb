package dev.platter.nbd.tls;

import java.net.Socket;
import java.security.cert.CertPathBuilderException;
import java.security.cert.CertPathValidatorException;
import java.security.cert.CertPathValidatorException.BasicReason;
import java.security.cert.CertificateException;
import java.security.cert.CertificateExpiredException;
import java.security.cert.CertificateNotYetValidException;
import java.security.cert.X509CRL;
import java.security.cert.X509Certificate;
import java.time.Instant;
import java.util.Date;
import java.util.List;
import javax.net.ssl.SSLEngine;
import javax.net.ssl.X509ExtendedTrustManager;
import org.jspecify.annotations.Nullable;

/**
 * Verifies the other side: its chain and its host name by the JDK's rules, then the lists of revoked certificates. A
 * certificate whose issuer published no list is not revoked; a list that is out of date revokes all of its issuer, as the peer
 * tools have it. What is wrong is said in their words.
 */
final class CertificateTrust extends X509ExtendedTrustManager {
    private final X509ExtendedTrustManager chains;
    private final List<X509CRL> revoked;

    CertificateTrust(X509ExtendedTrustManager chains, List<X509CRL> revoked) {
        this.chains = chains;
        this.revoked = List.copyOf(revoked);
    }

    @Override
    public void checkClientTrusted(X509Certificate[] chain, String authType, SSLEngine engine)
            throws CertificateException {
        try {
            chains.checkClientTrusted(chain, authType, engine);
        } catch (CertificateException e) {
            throw explained(e, null);
        }
        requireNotRevoked(chain);
    }

    @Override
    public void checkServerTrusted(X509Certificate[] chain, String authType, SSLEngine engine)
            throws CertificateException {
        try {
            chains.checkServerTrusted(chain, authType, engine);
        } catch (CertificateException e) {
            throw explained(e, engine.getPeerHost());
        }
        requireNotRevoked(chain);
    }

    @Override
    public void checkClientTrusted(X509Certificate[] chain, String authType, Socket socket)
            throws CertificateException {
        chains.checkClientTrusted(chain, authType, socket);
        requireNotRevoked(chain);
    }

    @Override
    public void checkServerTrusted(X509Certificate[] chain, String authType, Socket socket)
            throws CertificateException {
        chains.checkServerTrusted(chain, authType, socket);
        requireNotRevoked(chain);
    }

    @Override
    public void checkClientTrusted(X509Certificate[] chain, String authType) throws CertificateException {
        chains.checkClientTrusted(chain, authType);
        requireNotRevoked(chain);
    }

    @Override
    public void checkServerTrusted(X509Certificate[] chain, String authType) throws CertificateException {
        chains.checkServerTrusted(chain, authType);
        requireNotRevoked(chain);
    }

    @Override
    public X509Certificate[] getAcceptedIssuers() {
        return chains.getAcceptedIssuers();
    }

    private void requireNotRevoked(X509Certificate[] chain) throws CertificateException {
        for (X509Certificate certificate : chain) {
            for (X509CRL list : revoked) {
                if (list.getIssuerX500Principal().equals(certificate.getIssuerX500Principal())) {
                    requireNotRevoked(certificate, list);
                }
            }
        }
    }

    private static void requireNotRevoked(X509Certificate certificate, X509CRL list) throws CertificateException {
        Date next = list.getNextUpdate();
        if (next != null && next.toInstant().isBefore(Instant.now())) {
            throw refused(
                    "The list of revoked certificates is out of date since " + next.toInstant(),
                    BasicReason.UNDETERMINED_REVOCATION_STATUS);
        }
        if (list.isRevoked(certificate)) {
            throw refused("The certificate has been revoked", BasicReason.REVOKED);
        }
    }

    /** From the reason, the JDK has the alert that it sends. */
    private static CertificateException refused(String message, BasicReason reason) {
        return new CertificateException(message, new CertPathValidatorException(message, null, null, -1, reason));
    }

    private static CertificateException explained(CertificateException e, @Nullable String host) {
        return new CertificateException(explanation(e, host), e.getCause());
    }

    private static String explanation(CertificateException e, @Nullable String host) {
        for (Throwable cause = e; cause != null; cause = cause.getCause()) {
            if (cause instanceof CertificateExpiredException) {
                return "The certificate has expired (" + cause.getMessage() + ")";
            }
            if (cause instanceof CertificateNotYetValidException) {
                return "The certificate is not yet activated (" + cause.getMessage() + ")";
            }
            if (cause instanceof CertPathBuilderException) {
                return "The certificate hasn't got a known issuer";
            }
            if (cause instanceof CertPathValidatorException invalid
                    && invalid.getReason() == BasicReason.ALGORITHM_CONSTRAINED) {
                return "The certificate uses an insecure algorithm (" + cause.getMessage() + ")";
            }
        }
        // Whatever is wrong with the chain has a class of its own.
        return host != null && e.getClass() == CertificateException.class
                ? "Certificate does not match the hostname " + host + " (" + e.getMessage() + ")"
                : "The certificate is not trusted (" + e.getMessage() + ")";
    }
}
