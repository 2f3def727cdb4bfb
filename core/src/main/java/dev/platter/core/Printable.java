package dev.platter.core;

import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;

/**
 * Makes text of an image fit to be shown. Names in an image are written by whoever wrote the image: they may hold
 * terminal escapes, line breaks or characters that reverse the reading direction.
 */
public final class Printable {

    private Printable() {}

    /**
     * Returns {@code text} with every character that could act on a terminal or a log written as an escape: C0 and C1
     * controls as {@code \x1b}, line separators, bidirectional controls and lone surrogates with four digits. Text
     * without such characters is returned as it is.
     */
    public static String escape(String text) {
        int plain = 0;
        while (plain < text.length() && !isUnsafe(text, plain)) {
            plain++;
        }
        if (plain == text.length()) {
            return text;
        }
        StringBuilder out = new StringBuilder(text.length() + 16).append(text, 0, plain);
        for (int i = plain; i < text.length(); i++) {
            char c = text.charAt(i);
            if (!isUnsafe(text, i)) {
                out.append(c);
            } else if (c < 0x100) {
                out.append("\\x").append(Character.forDigit(c >> 4, 16)).append(Character.forDigit(c & 15, 16));
            } else {
                out.append(String.format("\\u%04x", (int) c));
            }
        }
        return out.toString();
    }

    /** Returns {@code text} escaped, shortened to 200 characters, and in double quotes, as names appear in messages. */
    public static String quote(String text) {
        String shown = text.length() <= 200 ? text : text.substring(0, 200) + "…";
        return '"' + escape(shown) + '"';
    }

    /**
     * Decodes UTF-8 as an image holds it: bytes that are no UTF-8 become U+FFFD. The result may still hold control
     * characters; {@link #escape} deals with those where text is shown.
     */
    public static String utf8(ByteBuffer bytes) {
        return StandardCharsets.UTF_8.decode(bytes).toString();
    }

    /**
     * Returns whether a code point does nothing to a terminal or a log but appear: no control, no line separator, no
     * bidirectional control, no surrogate.
     */
    public static boolean isSafe(int codePoint) {
        if (codePoint < 0x2000) {
            return codePoint >= 0x20 && !isIn(codePoint, 0x7f, 0x9f) && codePoint != 0x61c;
        }
        return codePoint != 0xfeff
                && !isIn(codePoint, 0x200e, 0x200f)
                && !isIn(codePoint, 0x2028, 0x202e)
                && !isIn(codePoint, 0x2066, 0x2069)
                && !isIn(codePoint, Character.MIN_SURROGATE, Character.MAX_SURROGATE);
    }

    private static boolean isUnsafe(String text, int i) {
        char c = text.charAt(i);
        if (Character.isHighSurrogate(c)) {
            return i + 1 == text.length() || !Character.isLowSurrogate(text.charAt(i + 1));
        }
        if (Character.isLowSurrogate(c)) {
            return i == 0 || !Character.isHighSurrogate(text.charAt(i - 1));
        }
        return !isSafe(c);
    }

    private static boolean isIn(int codePoint, int first, int last) {
        return codePoint >= first && codePoint <= last;
    }
}
