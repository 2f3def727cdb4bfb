package dev.platter.qcow2;

import dev.platter.core.UnsupportedFeatureException;

/** The encryption methods, by name. Contents that are encrypted cannot be read yet. */
final class Encryption {

    private Encryption() {}

    static String name(Qcow2Header header) {
        return header.cryptMethod() == Qcow2Header.CRYPT_LUKS ? "luks" : "aes";
    }

    static UnsupportedFeatureException unreadable(String file, Qcow2Header header, long guestOffset) {
        String method = header.cryptMethod() == Qcow2Header.CRYPT_LUKS ? "LUKS" : "the legacy AES method of qcow2";
        return new UnsupportedFeatureException(
                file + ": guest offset " + guestOffset + " is encrypted with " + method + ", which cannot be read yet");
    }
}
