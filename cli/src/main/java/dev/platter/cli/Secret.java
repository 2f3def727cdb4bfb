package dev.platter.cli;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.GeneralSecurityException;
import java.util.Base64;
import java.util.BitSet;
import javax.crypto.Cipher;
import javax.crypto.spec.IvParameterSpec;
import javax.crypto.spec.SecretKeySpec;
import org.jspecify.annotations.Nullable;

/** A password or a key: {@code --object secret}. QEMU: qapi/crypto.json and crypto/secret_common.c. */
final class Secret {
    private static final int KEY_BYTES = 32;
    private static final int IV_BYTES = 16;
    private static final int MOST_BYTES = 1 << 20;

    private static final BitSet BASE64 = new BitSet();

    static {
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/=\r\n"
                .chars()
                .forEach(BASE64::set);
    }

    private final byte[] bytes;

    private Secret(byte[] bytes) {
        this.bytes = bytes;
    }

    /** Finds another secret. */
    interface Finder {
        Secret find(String id) throws StartFailure;
    }

    /** Takes the options of a secret. */
    static Secret of(DottedOptions options, Finder others) throws StartFailure {
        String data = options.take("data");
        String file = options.take("file");
        boolean base64 =
                ObjectOptions.choose(options, "format", "raw", "raw", "base64").equals("base64");
        String keyId = options.take("keyid");
        String iv = options.take("iv");
        if (data != null && file != null) {
            throw new StartFailure("'file' and 'data' are mutually exclusive");
        }
        if (data == null && file == null) {
            throw new StartFailure("Either 'file' or 'data' must be provided");
        }
        byte[] input =
                data != null ? data.getBytes(StandardCharsets.UTF_8) : read(Arguments.path(String.valueOf(file)));
        if (keyId != null) {
            return new Secret(decrypt(base64 ? decode(input) : input, others.find(keyId).bytes, iv));
        }
        return new Secret(base64 ? decode(input) : input);
    }

    /** Returns it as text. */
    String text() {
        return new String(bytes, StandardCharsets.UTF_8);
    }

    private static byte[] read(Path file) throws StartFailure {
        try {
            if (Files.size(file) > MOST_BYTES) {
                throw new StartFailure("Unable to read " + file + ": larger than " + MOST_BYTES + " bytes");
            }
            return Files.readAllBytes(file);
        } catch (StartFailure e) {
            throw e;
        } catch (IOException e) {
            throw new StartFailure("Unable to read " + file + ": " + SystemErrors.text(e));
        }
    }

    private static byte[] decode(byte[] text) throws StartFailure {
        try {
            return Base64.getMimeDecoder().decode(requireBase64(text));
        } catch (IllegalArgumentException e) {
            throw new StartFailure("Base64 data contains invalid characters");
        }
    }

    /** The decoder for mail passes over whatever is not of its alphabet, line feeds included, which alone are wanted. */
    private static byte[] requireBase64(byte[] text) {
        for (byte b : text) {
            if (!BASE64.get(b & 0xff)) {
                throw new IllegalArgumentException();
            }
        }
        return text;
    }

    private static byte[] decrypt(byte[] sealed, byte[] key, @Nullable String iv) throws StartFailure {
        if (key.length != KEY_BYTES) {
            throw new StartFailure("Key should be " + KEY_BYTES + " bytes in length");
        }
        if (iv == null) {
            throw new StartFailure("IV is required to decrypt secret");
        }
        byte[] vector = decode(iv.getBytes(StandardCharsets.UTF_8));
        if (vector.length != IV_BYTES) {
            throw new StartFailure("IV should be " + IV_BYTES + " bytes in length not " + vector.length);
        }
        try {
            Cipher cipher = Cipher.getInstance("AES/CBC/PKCS5Padding");
            cipher.init(Cipher.DECRYPT_MODE, new SecretKeySpec(key, "AES"), new IvParameterSpec(vector));
            return cipher.doFinal(sealed);
        } catch (GeneralSecurityException e) {
            throw new StartFailure("the secret cannot be decrypted: another key, another IV, or damaged");
        }
    }
}
