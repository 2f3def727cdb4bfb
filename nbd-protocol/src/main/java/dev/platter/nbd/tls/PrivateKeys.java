package dev.platter.nbd.tls;

import java.io.IOException;
import java.nio.file.Path;
import java.security.AlgorithmParameters;
import java.security.GeneralSecurityException;
import java.security.KeyFactory;
import java.security.PrivateKey;
import java.security.PublicKey;
import java.security.Signature;
import java.security.interfaces.RSAKey;
import java.security.spec.InvalidKeySpecException;
import java.security.spec.PKCS8EncodedKeySpec;
import java.util.Map;
import javax.crypto.Cipher;
import javax.crypto.EncryptedPrivateKeyInfo;
import javax.crypto.SecretKeyFactory;
import javax.crypto.spec.PBEKeySpec;
import org.jspecify.annotations.Nullable;

/**
 * Reads private keys in all the forms that tools write: PKCS#8, also encrypted, PKCS#1 and SEC1. The JDK knows PKCS#8, into
 * which the others are wrapped. Sources: RFC 5208 and 5958, RFC 8017 appendix A.1, RFC 5915.
 */
final class PrivateKeys {
    private static final byte[] RSA = {0x2a, (byte) 0x86, 0x48, (byte) 0x86, (byte) 0xf7, 0x0d, 1, 1, 1};
    private static final byte[] EC = {0x2a, (byte) 0x86, 0x48, (byte) 0xce, 0x3d, 2, 1};

    private static final byte[] VERSION_0 = Der.element(Der.INTEGER, new byte[1]);
    private static final int EC_PARAMETERS = 0xa0;
    private static final String PBES2 = "1.2.840.113549.1.5.13";

    private static final Map<String, String> ALGORITHMS = Map.of(
            "1.2.840.113549.1.1.1", "RSA",
            "1.2.840.113549.1.1.10", "RSASSA-PSS",
            "1.2.840.10045.2.1", "EC",
            "1.3.101.112", "EdDSA",
            "1.3.101.113", "EdDSA");

    private PrivateKeys() {}

    /**
     * Reads the first private key of a file.
     *
     * @param password for an encrypted key; null if there is none
     * @throws IOException if it cannot be read, holds no key that is known, or needs another password
     */
    static PrivateKey read(Path file, @Nullable String password) throws IOException {
        byte[] curve = null;
        for (PemFiles.Block block : PemFiles.blocks(file)) {
            if (block.headers().stream()
                    .anyMatch(line -> line.startsWith("Proc-Type:") && line.contains("ENCRYPTED"))) {
                throw new IOException(
                        file + ": the key is encrypted in the old form of OpenSSL (Proc-Type: 4,ENCRYPTED),"
                                + " which is not supported; \"openssl pkcs8 -topk8\" turns it into PKCS#8");
            }
            try {
                switch (block.label()) {
                    case "EC PARAMETERS" -> curve = block.der();
                    case "PRIVATE KEY" -> {
                        return fromPkcs8(block.der());
                    }
                    case "RSA PRIVATE KEY" -> {
                        return fromPkcs8(fromPkcs1(block.der()));
                    }
                    case "EC PRIVATE KEY" -> {
                        return fromPkcs8(fromSec1(block.der(), curve));
                    }
                    case "ENCRYPTED PRIVATE KEY" -> {
                        if (password == null) {
                            throw new IOException("the key is encrypted, and no password is given");
                        }
                        return fromPkcs8(decrypted(block.der(), password));
                    }
                    default -> {}
                }
            } catch (IOException | GeneralSecurityException e) {
                throw new IOException(file + ": " + e.getMessage(), e);
            }
        }
        throw new IOException(file + ": holds no private key in PEM");
    }

    /** Returns whether a private key belongs to a public one. */
    static boolean isPair(PrivateKey own, PublicKey known) throws GeneralSecurityException {
        if (own instanceof RSAKey one && known instanceof RSAKey other) {
            return one.getModulus().equals(other.getModulus());
        }
        if (!own.getAlgorithm().equals(known.getAlgorithm())) {
            return false;
        }
        Signature signature =
                Signature.getInstance(own.getAlgorithm().equals("EC") ? "SHA256withECDSA" : own.getAlgorithm());
        byte[] message = {1, 2, 3, 4};
        signature.initSign(own);
        signature.update(message);
        byte[] signed = signature.sign();
        signature.initVerify(known);
        signature.update(message);
        return signature.verify(signed);
    }

    private static PrivateKey fromPkcs8(byte[] der) throws IOException, GeneralSecurityException {
        Der info = new Der(der).enter(Der.SEQUENCE);
        info.content(Der.INTEGER);
        String identifier = Der.objectIdentifier(info.enter(Der.SEQUENCE).content(Der.OBJECT_IDENTIFIER));
        String algorithm = ALGORITHMS.get(identifier);
        if (algorithm == null) {
            throw new IOException("keys of algorithm " + identifier + " are not supported; RSA, EC and EdDSA are");
        }
        return KeyFactory.getInstance(algorithm).generatePrivate(new PKCS8EncodedKeySpec(der));
    }

    private static byte[] fromPkcs1(byte[] der) {
        byte[] algorithm = Der.element(Der.SEQUENCE, Der.element(Der.OBJECT_IDENTIFIER, RSA), Der.element(Der.NULL));
        return Der.element(Der.SEQUENCE, VERSION_0, algorithm, Der.element(Der.OCTET_STRING, der));
    }

    /**
     * Wraps a SEC1 key.
     *
     * @param curve what stood in EC PARAMETERS before; null if nothing did
     */
    private static byte[] fromSec1(byte[] der, byte @Nullable [] curve) throws IOException {
        Der key = new Der(der).enter(Der.SEQUENCE);
        key.content(Der.INTEGER);
        key.content(Der.OCTET_STRING);
        byte[] parameters = key.hasMore() && key.tag() == EC_PARAMETERS ? key.content(EC_PARAMETERS) : curve;
        if (parameters == null) {
            throw new IOException("the EC key does not name its curve");
        }
        byte[] algorithm = Der.element(Der.SEQUENCE, Der.element(Der.OBJECT_IDENTIFIER, EC), parameters);
        return Der.element(Der.SEQUENCE, VERSION_0, algorithm, Der.element(Der.OCTET_STRING, der));
    }

    private static byte[] decrypted(byte[] der, String password) throws IOException, GeneralSecurityException {
        EncryptedPrivateKeyInfo info = new EncryptedPrivateKeyInfo(der);
        AlgorithmParameters parameters = info.getAlgParameters();
        String algorithm = info.getAlgName();
        if (parameters != null && (algorithm.equals("PBES2") || algorithm.equals(PBES2))) {
            // The JDK says there which of its algorithms this is: PBEWithHmacSHA256AndAES_256.
            algorithm = parameters.toString();
        }
        PBEKeySpec secret = new PBEKeySpec(password.toCharArray());
        try {
            Cipher cipher = Cipher.getInstance(algorithm);
            cipher.init(
                    Cipher.DECRYPT_MODE, SecretKeyFactory.getInstance(algorithm).generateSecret(secret), parameters);
            return info.getKeySpec(cipher).getEncoded();
        } catch (InvalidKeySpecException e) {
            throw new IOException("the password does not open the key", e);
        } finally {
            secret.clearPassword();
        }
    }
}
