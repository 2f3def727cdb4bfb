package dev.platter.qcow2;

import com.google.common.collect.ImmutableMap;
import dev.platter.core.CorruptImageException;
import dev.platter.core.Printable;
import java.nio.ByteBuffer;
import java.nio.charset.CharacterCodingException;
import java.util.LinkedHashMap;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/**
 * The header extensions. Source: qcow2.rst, "Header extensions".
 *
 * @param backingFormat stated format of the backing file, or null
 * @param dataFile name of the external data file, or null
 * @param featureNames names of feature bits that can be, at most 192; the key is {@code type << 8 | bit}
 * @param bitmaps what the bitmaps extension says, or null
 * @param cryptoOffset where the LUKS header lies, -1 without one
 * @param cryptoLength bytes of the LUKS header
 */
record HeaderExtensions(
        @Nullable String backingFormat,
        @Nullable String dataFile,
        Map<Integer, String> featureNames,
        @Nullable BitmapDirectoryLocation bitmaps,
        long cryptoOffset,
        long cryptoLength) {

    static final int FEATURE_INCOMPATIBLE = 0;

    private static final int TYPE_END = 0;
    static final int TYPE_BACKING_FORMAT = 0xe2792aca;
    static final int TYPE_FEATURE_NAMES = 0x6803f857;
    static final int TYPE_BITMAPS = 0x23852875;
    private static final int TYPE_CRYPTO = 0x0537be77;
    static final int TYPE_DATA_FILE = 0x44415441;

    private static final int FEATURE_RECORD = 48;
    private static final int FEATURE_TYPES = 3;
    private static final int MAX_BACKING_FORMAT = 15;

    /**
     * Where the directory of the bitmaps lies.
     *
     * @param count bitmaps
     * @param size bytes of the directory
     * @param offset first byte of the directory
     */
    record BitmapDirectoryLocation(long count, long size, long offset) {}

    boolean hasCryptoHeader() {
        return cryptoOffset >= 0;
    }

    /** Returns the name of a feature bit for a message, with a blank before it; nothing where the image names none. */
    String featureName(int type, int bit) {
        String name = featureNames.get(type << 8 | bit);
        return name == null ? "" : " (" + Printable.quote(name) + ")";
    }

    /**
     * Parses the extensions between {@code start} and {@code end} of the first cluster. A file that ends before {@code
     * end} is truncated unless the end marker came before.
     */
    static HeaderExtensions parse(String file, ByteBuffer cluster, int start, int end) throws CorruptImageException {
        Collector found = new Collector();
        int at = start;
        while (at <= end - 8) {
            if (at > cluster.limit() - 8) {
                throw corrupt(file, at, "the file ends inside the header extensions: it is truncated");
            }
            int type = cluster.getInt(at);
            long length = cluster.getInt(at + 4) & 0xffff_ffffL;
            if (type == TYPE_END) {
                break;
            }
            at += 8;
            if (length > end - at) {
                throw corrupt(
                        file,
                        at - 8,
                        "extension 0x" + Integer.toHexString(type) + " has " + length + " bytes, only " + (end - at)
                                + " are left");
            }
            if (length > cluster.limit() - at) {
                throw corrupt(file, at, "the file ends inside a header extension: it is truncated");
            }
            found.take(file, type, cluster, at, (int) length);
            at += (int) (length + 7 & ~7L);
        }
        return found.finish();
    }

    /** Reads a file name, which must be text. */
    static String fileName(String file, String what, ByteBuffer cluster, int at, int length)
            throws CorruptImageException {
        String name;
        try {
            name = Qcow2Header.strictUtf8(cluster.slice(at, length));
        } catch (CharacterCodingException e) {
            throw new CorruptImageException(file + ": the " + what + " at " + at + " is not UTF-8", e);
        }
        if (name.indexOf('\0') >= 0) {
            throw corrupt(file, at, "the " + what + " " + Printable.quote(name) + " holds a NUL");
        }
        return name;
    }

    private static CorruptImageException corrupt(String file, int at, String text) {
        return new CorruptImageException(file + ": header extension at " + at + ": " + text);
    }

    private static final class Collector {
        private @Nullable String backingFormat;
        private @Nullable String dataFile;
        private final Map<Integer, String> featureNames = new LinkedHashMap<>();
        private @Nullable BitmapDirectoryLocation bitmaps;
        private long cryptoOffset = -1;
        private long cryptoLength;

        void take(String file, int type, ByteBuffer cluster, int at, int length) throws CorruptImageException {
            switch (type) {
                case TYPE_BACKING_FORMAT -> {
                    if (length > MAX_BACKING_FORMAT) {
                        throw corrupt(file, at, "the backing format has " + length + " bytes, at most 15 are allowed");
                    }
                    backingFormat = Printable.utf8(cluster.slice(at, length));
                }
                case TYPE_DATA_FILE -> dataFile = fileName(file, "data file name", cluster, at, length);
                case TYPE_FEATURE_NAMES -> takeFeatureNames(cluster, at, length);
                case TYPE_BITMAPS -> {
                    requireLength(file, "bitmaps", at, length, 24);
                    bitmaps = new BitmapDirectoryLocation(
                            cluster.getInt(at) & 0xffff_ffffL, cluster.getLong(at + 8), cluster.getLong(at + 16));
                }
                case TYPE_CRYPTO -> {
                    requireLength(file, "crypto header", at, length, 16);
                    cryptoOffset = cluster.getLong(at);
                    cryptoLength = cluster.getLong(at + 8);
                    if (cryptoOffset < 0 || cryptoLength < 0) {
                        throw corrupt(file, at, "the crypto header lies beyond 2^63");
                    }
                }
                default -> {
                    // unknown extensions carry no meaning for a reader
                }
            }
        }

        private void takeFeatureNames(ByteBuffer cluster, int at, int length) {
            for (int i = at; i <= at + length - FEATURE_RECORD; i += FEATURE_RECORD) {
                int nameLength = 0;
                while (nameLength < FEATURE_RECORD - 2 && cluster.get(i + 2 + nameLength) != 0) {
                    nameLength++;
                }
                int type = cluster.get(i) & 0xff;
                int bit = cluster.get(i + 1) & 0xff;
                if (type < FEATURE_TYPES && bit < Long.SIZE) {
                    featureNames.putIfAbsent(type << 8 | bit, Printable.utf8(cluster.slice(i + 2, nameLength)));
                }
            }
        }

        private static void requireLength(String file, String what, int at, int length, int expected)
                throws CorruptImageException {
            if (length != expected) {
                throw corrupt(
                        file, at, "the " + what + " extension has " + length + " bytes, it must have " + expected);
            }
        }

        HeaderExtensions finish() {
            return new HeaderExtensions(
                    backingFormat, dataFile, ImmutableMap.copyOf(featureNames), bitmaps, cryptoOffset, cryptoLength);
        }
    }
}
