package dev.platter.filesystem;

import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.HexFormat;
import java.util.Locale;
import java.util.Map;
import java.util.zip.CRC32C;
import org.jspecify.annotations.Nullable;

/** The checksums of superblocks that the JDK has only in part. None moves the position of its buffer. */
final class Checksums {
    private static final int[] CRC32_TABLE = crc32Table();
    private static final Map<String, String> DIGESTS =
            Map.of("sha1", "SHA-1", "sha224", "SHA-224", "sha256", "SHA-256", "sha384", "SHA-384", "sha512", "SHA-512");

    private static final long PRIME1 = 0x9E37_79B1_85EB_CA87L;
    private static final long PRIME2 = 0xC2B2_AE3D_27D4_EB4FL;
    /** As 64 bits: their sum overflows. */
    private static final long PRIME1_PLUS_PRIME2 = 0x60EA_27EE_ADC0_B5D6L;

    private static final long PRIME3 = 0x1656_67B1_9E37_79F9L;
    private static final long PRIME4 = 0x85EB_CA77_C2B2_AE63L;
    private static final long PRIME5 = 0x27D4_EB2F_1656_67C5L;

    private Checksums() {}

    /** CRC-32C with all bits of the result inverted, as usual. */
    static int crc32c(ByteBuffer... parts) {
        CRC32C crc = new CRC32C();
        for (ByteBuffer part : parts) {
            crc.update(part.duplicate());
        }
        return (int) crc.getValue();
    }

    /** CRC-32 (the polynomial of Ethernet) from any start value, result not inverted. */
    static int crc32(int start, ByteBuffer bytes) {
        int crc = start;
        for (int i = bytes.position(); i < bytes.limit(); i++) {
            crc = crc >>> 8 ^ CRC32_TABLE[(crc ^ bytes.get(i)) & 0xff];
        }
        return crc;
    }

    /** XXH64 with seed 0. xxHash fast digest algorithm, "XXH64 algorithm description". */
    static long xxh64(ByteBuffer input) {
        ByteBuffer bytes = input.slice().order(ByteOrder.LITTLE_ENDIAN);
        long acc = bytes.remaining() < 32 ? PRIME5 : xxhStripes(bytes);
        acc += bytes.capacity();
        while (bytes.remaining() >= 8) {
            acc ^= xxhRound(0, bytes.getLong());
            acc = Long.rotateLeft(acc, 27) * PRIME1 + PRIME4;
        }
        if (bytes.remaining() >= 4) {
            acc ^= (bytes.getInt() & 0xffff_ffffL) * PRIME1;
            acc = Long.rotateLeft(acc, 23) * PRIME2 + PRIME3;
        }
        while (bytes.hasRemaining()) {
            acc ^= (bytes.get() & 0xff) * PRIME5;
            acc = Long.rotateLeft(acc, 11) * PRIME1;
        }
        acc = (acc ^ acc >>> 33) * PRIME2;
        acc = (acc ^ acc >>> 29) * PRIME3;
        return acc ^ acc >>> 32;
    }

    /**
     * Digests parts one after the other.
     *
     * @param name lower case and without dashes, as LUKS and btrfs spell it
     * @return hex, or null when this JDK has no such digest
     */
    static @Nullable String digest(String name, ByteBuffer... parts) {
        String jdkName = DIGESTS.get(name.toLowerCase(Locale.ROOT));
        if (jdkName == null) {
            return null;
        }
        try {
            MessageDigest digest = MessageDigest.getInstance(jdkName);
            for (ByteBuffer part : parts) {
                digest.update(part.duplicate());
            }
            return HexFormat.of().formatHex(digest.digest());
        } catch (NoSuchAlgorithmException e) {
            return null; // a JDK without it: the caller says that it could not verify
        }
    }

    /** Returns the bytes from position to limit in hex. */
    static String hex(ByteBuffer bytes) {
        StringBuilder out = new StringBuilder();
        for (int i = bytes.position(); i < bytes.limit(); i++) {
            out.append(HexFormat.of().toHexDigits(bytes.get(i)));
        }
        return out.toString();
    }

    private static long xxhStripes(ByteBuffer bytes) {
        long acc1 = PRIME1_PLUS_PRIME2;
        long acc2 = PRIME2;
        long acc3 = 0;
        long acc4 = -PRIME1;
        while (bytes.remaining() >= 32) {
            acc1 = xxhRound(acc1, bytes.getLong());
            acc2 = xxhRound(acc2, bytes.getLong());
            acc3 = xxhRound(acc3, bytes.getLong());
            acc4 = xxhRound(acc4, bytes.getLong());
        }
        long acc = Long.rotateLeft(acc1, 1)
                + Long.rotateLeft(acc2, 7)
                + Long.rotateLeft(acc3, 12)
                + Long.rotateLeft(acc4, 18);
        acc = xxhMerge(acc, acc1);
        acc = xxhMerge(acc, acc2);
        acc = xxhMerge(acc, acc3);
        return xxhMerge(acc, acc4);
    }

    private static long xxhRound(long acc, long lane) {
        return Long.rotateLeft(acc + lane * PRIME2, 31) * PRIME1;
    }

    private static long xxhMerge(long acc, long lane) {
        return (acc ^ xxhRound(0, lane)) * PRIME1 + PRIME4;
    }

    private static int[] crc32Table() {
        int[] table = new int[256];
        for (int i = 0; i < 256; i++) {
            int crc = i;
            for (int bit = 0; bit < 8; bit++) {
                crc = (crc & 1) == 0 ? crc >>> 1 : crc >>> 1 ^ 0xedb8_8320;
            }
            table[i] = crc;
        }
        return table;
    }
}
