package dev.platter.filesystem;

import static dev.platter.filesystem.Fields.u16;
import static dev.platter.filesystem.Fields.u32;
import static dev.platter.filesystem.Fields.u8;

import java.nio.ByteBuffer;
import java.nio.charset.Charset;
import java.nio.charset.StandardCharsets;
import java.util.Locale;
import org.jspecify.annotations.Nullable;

/** A descriptor of UDF behind its tag. ECMA-167, part 3, section 10; UDF 2.60, section 2.2. */
record UdfDescriptor(ByteBuffer bytes) {
    static final int SIZE = 512;

    static final int PRIMARY = 1;
    static final int ANCHOR = 2;
    static final int LOGICAL = 6;
    static final int TERMINATING = 8;
    static final int INTEGRITY = 9;

    private static final int DSTRING_LATIN = 8;
    private static final int DSTRING_WIDE = 16;

    int type() {
        return u16(bytes, 0);
    }

    /** Block in which the descriptor says that it lies. */
    long location() {
        return u32(bytes, 12);
    }

    /** Whether the tag adds up: the sum of its other bytes (ECMA-167 3/7.2.3). */
    boolean isTagValid() {
        int sum = 0;
        for (int i = 0; i < 16; i++) {
            sum += i == 4 ? 0 : u8(bytes, i);
        }
        return (sum & 0xff) == u8(bytes, 4);
    }

    /** Text of OSTA CS0 in a field whose last byte is the length in use (UDF 2.60, section 2.1.3); null when empty. */
    @Nullable
    String dstring(int index, int length) {
        int used = Math.min(u8(bytes, index + length - 1), length - 1) - 1;
        if (used <= 0) {
            return null;
        }
        Charset charset = charset(u8(bytes, index));
        if (charset == null) {
            return null;
        }
        String text = charset.decode(bytes.slice(index + 1, used)).toString();
        int nul = text.indexOf('\0');
        String trimmed = (nul < 0 ? text : text.substring(0, nul)).stripTrailing();
        return trimmed.isEmpty() ? null : trimmed;
    }

    private static @Nullable Charset charset(int compression) {
        return switch (compression) {
            case DSTRING_LATIN -> StandardCharsets.ISO_8859_1;
            case DSTRING_WIDE -> StandardCharsets.UTF_16BE;
            default -> null;
        };
    }

    /**
     * The identifier that libblkid makes from a volume set identifier, whose first 16 characters should be unique hex
     * digits: as they are, or in hex from where they are no digits; null when there are too few.
     */
    static @Nullable String uuid(@Nullable String volumeSet) {
        byte[] text = volumeSet == null ? new byte[0] : volumeSet.getBytes(StandardCharsets.UTF_8);
        if (text.length < 8) {
            return null;
        }
        int digits = 0;
        while (digits < Math.min(16, text.length) && Character.digit(text[digits], 16) >= 0) {
            digits++;
        }
        int plain = digits < 8 ? 0 : digits < 16 ? 8 : 16;
        StringBuilder out = new StringBuilder(16);
        for (int i = 0; i < plain; i++) {
            out.append((char) text[i]);
        }
        for (int i = plain; out.length() < 16; i++) {
            int value = i < text.length ? text[i] : 0;
            out.append(Character.forDigit(value >> 4 & 15, 16)).append(Character.forDigit(value & 15, 16));
        }
        return out.toString().toLowerCase(Locale.ROOT);
    }
}
