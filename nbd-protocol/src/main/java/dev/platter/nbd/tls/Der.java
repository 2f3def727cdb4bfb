package dev.platter.nbd.tls;

import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.util.Arrays;

/**
 * Reads and makes DER, as far as keys and names need it: tags of one byte, lengths that are known. Source: ITU-T X.690,
 * section 8.1.
 */
final class Der {
    static final int INTEGER = 0x02;
    static final int OCTET_STRING = 0x04;
    static final int NULL = 0x05;
    static final int OBJECT_IDENTIFIER = 0x06;
    static final int SEQUENCE = 0x30;
    static final int SET = 0x31;

    private final byte[] bytes;
    private final int end;
    private int position;

    /** Begins to read a row of elements. */
    Der(byte[] bytes) {
        this(bytes, 0, bytes.length);
    }

    private Der(byte[] bytes, int position, int end) {
        this.bytes = bytes;
        this.position = position;
        this.end = end;
    }

    boolean hasMore() {
        return position < end;
    }

    /** Returns the tag of the next element. */
    int tag() throws IOException {
        if (position == end) {
            throw new IOException("it ends where an element should begin");
        }
        return bytes[position] & 0xff;
    }

    /** Takes the next element, which must have a tag, and returns what reads its content. */
    Der enter(int tag) throws IOException {
        if (tag() != tag) {
            throw new IOException(String.format("tag 0x%02x where 0x%02x is expected", tag(), tag));
        }
        int start = contentStart();
        int behind = end(start);
        position = behind;
        return new Der(bytes, start, behind);
    }

    /** Takes the next element, which must have a tag, and returns its content. */
    byte[] content(int tag) throws IOException {
        return enter(tag).rest();
    }

    /** Takes the next element, whatever it is, and returns it whole. */
    byte[] element() throws IOException {
        int start = position;
        tag();
        position = end(contentStart());
        return Arrays.copyOfRange(bytes, start, position);
    }

    /** Takes all that is left. */
    byte[] rest() {
        byte[] rest = Arrays.copyOfRange(bytes, position, end);
        position = end;
        return rest;
    }

    /** Returns an element. */
    static byte[] element(int tag, byte[]... contents) {
        int length = 0;
        for (byte[] content : contents) {
            length += content.length;
        }
        ByteArrayOutputStream out = new ByteArrayOutputStream(length + 6);
        out.write(tag);
        if (length < 0x80) {
            out.write(length);
        } else {
            int bytes = (39 - Integer.numberOfLeadingZeros(length)) / 8;
            out.write(0x80 | bytes);
            for (int i = bytes - 1; i >= 0; i--) {
                out.write(length >>> (8 * i));
            }
        }
        for (byte[] content : contents) {
            out.writeBytes(content);
        }
        return out.toByteArray();
    }

    /** Returns the content of an object identifier as text: {@code 2.5.4.3}. */
    static String objectIdentifier(byte[] content) throws IOException {
        StringBuilder text = new StringBuilder();
        long number = 0;
        for (byte next : content) {
            if (number >>> 56 != 0) {
                throw new IOException("an object identifier has a number that is too large");
            }
            number = number << 7 | (next & 0x7f);
            if (next < 0) {
                continue;
            }
            if (text.length() > 0) {
                text.append('.').append(number);
            } else {
                long first = Math.min(number / 40, 2);
                text.append(first).append('.').append(number - 40 * first);
            }
            number = 0;
        }
        if (content.length == 0 || content[content.length - 1] < 0) {
            throw new IOException("an object identifier is cut off");
        }
        return text.toString();
    }

    private int contentStart() throws IOException {
        if ((bytes[position] & 0x1f) == 0x1f) {
            throw new IOException("a tag of several bytes");
        }
        if (position + 1 == end) {
            throw new IOException("an element without a length");
        }
        int first = bytes[position + 1] & 0xff;
        int more = first < 0x80 ? 0 : first & 0x7f;
        if (first == 0x80 || more > 4 || more > end - position - 2) {
            throw new IOException("an element without a usable length");
        }
        return position + 2 + more;
    }

    private int end(int contentStart) throws IOException {
        long length = 0;
        if (contentStart == position + 2) {
            length = bytes[position + 1];
        }
        for (int i = position + 2; i < contentStart; i++) {
            length = length << 8 | (bytes[i] & 0xff);
        }
        if (length > end - contentStart) {
            throw new IOException("an element of " + length + " bytes where " + (end - contentStart) + " are left");
        }
        return contentStart + (int) length;
    }
}
