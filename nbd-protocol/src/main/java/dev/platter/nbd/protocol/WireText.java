package dev.platter.nbd.protocol;

import java.nio.ByteBuffer;
import java.nio.charset.CharacterCodingException;
import java.nio.charset.StandardCharsets;

/** Text on the wire: UTF-8 without NUL, of at most {@value #MAX_BYTES} bytes; section "Values". */
public final class WireText {
    /** Longest name, description or error text. */
    public static final int MAX_BYTES = 4096;

    private WireText() {}

    /**
     * Takes {@code length} bytes of a buffer as text. It may hold control characters: show it escaped.
     *
     * @param what what the text is, for the message
     * @throws ProtocolException if the buffer holds fewer bytes, the text is too long, or no such text
     */
    public static String take(ByteBuffer from, int length, String what) throws ProtocolException {
        if (length < 0 || length > MAX_BYTES) {
            throw new ProtocolException(
                    what + " of " + Integer.toUnsignedString(length) + " bytes is longer than " + MAX_BYTES + " bytes");
        }
        if (length > from.remaining()) {
            throw new ProtocolException(
                    what + " of " + length + " bytes, where " + from.remaining() + " bytes are left");
        }
        ByteBuffer bytes = from.slice(from.position(), length);
        from.position(from.position() + length);
        String text;
        try {
            text = StandardCharsets.UTF_8.newDecoder().decode(bytes).toString();
        } catch (CharacterCodingException e) {
            throw new ProtocolException(what + " is not UTF-8");
        }
        if (text.indexOf(0) >= 0) {
            throw new ProtocolException(what + " holds a NUL");
        }
        return text;
    }

    /**
     * Returns the bytes of a text.
     *
     * @throws IllegalArgumentException if it is too long or holds a NUL
     */
    public static byte[] bytes(String text) {
        byte[] bytes = text.getBytes(StandardCharsets.UTF_8);
        if (bytes.length > MAX_BYTES || text.indexOf(0) >= 0) {
            throw new IllegalArgumentException(
                    "text of " + bytes.length + " bytes: a text has at most " + MAX_BYTES + " bytes, and no NUL");
        }
        return bytes;
    }

    /** Returns the longest beginning of a text that the wire takes, for messages about what went wrong. */
    static byte[] clipped(String text) {
        String clean = text.replace('\0', ' ');
        byte[] bytes = clean.getBytes(StandardCharsets.UTF_8);
        while (bytes.length > MAX_BYTES) {
            // A char takes at most 3 bytes, a pair of them 4.
            clean = clean.substring(0, Math.max(clean.length() - Math.max((bytes.length - MAX_BYTES) / 3, 1), 0));
            bytes = clean.getBytes(StandardCharsets.UTF_8);
        }
        return bytes;
    }
}
