package dev.platter.nbd.tls;

import java.io.ByteArrayInputStream;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.security.cert.CRL;
import java.security.cert.CRLException;
import java.security.cert.Certificate;
import java.security.cert.CertificateException;
import java.security.cert.CertificateFactory;
import java.security.cert.X509CRL;
import java.security.cert.X509Certificate;
import java.util.ArrayList;
import java.util.Base64;
import java.util.List;

/**
 * Reads PEM: Base64 of DER between lines that name what it is. Text before, between and behind the blocks is allowed, as
 * certtool writes it. Source: RFC 7468; RFC 1421 for the headers of old OpenSSL keys.
 */
final class PemFiles {
    private static final String BEGIN = "-----BEGIN ";
    private static final String END = "-----END ";
    private static final String DASHES = "-----";

    /**
     * A block.
     *
     * @param label what stands behind BEGIN
     * @param headers lines such as {@code Proc-Type: 4,ENCRYPTED}
     * @param der what it holds
     */
    @SuppressWarnings("ArrayRecordComponent") // not compared
    record Block(String label, List<String> headers, byte[] der) {}

    private PemFiles() {}

    /**
     * Reads the blocks of a file, in their order.
     *
     * @throws IOException if it cannot be read, or a block is not PEM
     */
    static List<Block> blocks(Path file) throws IOException {
        String[] lines = new String(CredentialFile.read(file), StandardCharsets.ISO_8859_1).split("\r\n|\r|\n", -1);
        List<Block> blocks = new ArrayList<>();
        for (int i = 0; i < lines.length; i++) {
            String line = lines[i].strip();
            if (line.startsWith(BEGIN) && line.endsWith(DASHES) && line.length() >= BEGIN.length() + DASHES.length()) {
                String label = line.substring(BEGIN.length(), line.length() - DASHES.length());
                int end = i + 1;
                while (end < lines.length && !lines[end].strip().equals(END + label + DASHES)) {
                    end++;
                }
                if (end == lines.length) {
                    throw new IOException(file + ": line " + (i + 1) + ": " + label + " has no end");
                }
                blocks.add(block(file, label, lines, i + 1, end));
                i = end;
            }
        }
        return blocks;
    }

    /**
     * Reads certificates, at least one.
     *
     * @throws IOException if it cannot be read, or holds none
     */
    static List<X509Certificate> certificates(Path file) throws IOException {
        List<X509Certificate> certificates = new ArrayList<>();
        for (Block block : blocks(file)) {
            if (block.label().equals("CERTIFICATE") || block.label().equals("X509 CERTIFICATE")) {
                try {
                    Certificate certificate = x509().generateCertificate(new ByteArrayInputStream(block.der()));
                    if (certificate instanceof X509Certificate one) {
                        certificates.add(one);
                    }
                } catch (CertificateException e) {
                    throw new IOException(
                            file + ": certificate " + (certificates.size() + 1) + ": " + e.getMessage(), e);
                }
            }
        }
        if (certificates.isEmpty()) {
            throw new IOException(file + ": holds no certificate in PEM");
        }
        return certificates;
    }

    /**
     * Reads lists of revoked certificates, at least one.
     *
     * @throws IOException if it cannot be read, or holds none
     */
    static List<X509CRL> revocationLists(Path file) throws IOException {
        List<X509CRL> lists = new ArrayList<>();
        for (Block block : blocks(file)) {
            if (block.label().equals("X509 CRL")) {
                try {
                    CRL list = x509().generateCRL(new ByteArrayInputStream(block.der()));
                    if (list instanceof X509CRL one) {
                        lists.add(one);
                    }
                } catch (CRLException | CertificateException e) {
                    throw new IOException(file + ": list " + (lists.size() + 1) + ": " + e.getMessage(), e);
                }
            }
        }
        if (lists.isEmpty()) {
            throw new IOException(file + ": holds no list of revoked certificates in PEM");
        }
        return lists;
    }

    private static Block block(Path file, String label, String[] lines, int from, int to) throws IOException {
        List<String> headers = new ArrayList<>();
        StringBuilder base64 = new StringBuilder();
        for (int i = from; i < to; i++) {
            String line = lines[i].strip();
            if (line.indexOf(':') >= 0) {
                headers.add(line);
            } else {
                base64.append(line);
            }
        }
        try {
            return new Block(label, List.copyOf(headers), Base64.getDecoder().decode(base64.toString()));
        } catch (IllegalArgumentException e) {
            throw new IOException(file + ": line " + (from + 1) + ": " + label + " is not Base64", e);
        }
    }

    private static CertificateFactory x509() throws CertificateException {
        return CertificateFactory.getInstance("X.509");
    }
}
