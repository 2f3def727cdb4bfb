package dev.platter.cli;

import java.io.IOException;
import java.io.OutputStream;
import java.nio.charset.StandardCharsets;

/** Buffers text on its way out. Numbers and ASCII are written without making strings: a map can have millions of lines. */
final class TextOutput {
    private static final int CAPACITY = 64 * 1024;
    private static final int LONGEST_NUMBER = 20;

    private final OutputStream out;
    private final byte[] bytes = new byte[CAPACITY];
    private int size;

    TextOutput(OutputStream out) {
        this.out = out;
    }

    /** Writes ASCII. */
    TextOutput ascii(String text) throws IOException {
        for (int i = 0; i < text.length(); i++) {
            room(1);
            bytes[size++] = (byte) text.charAt(i);
        }
        return this;
    }

    /** Writes any text. */
    TextOutput text(String text) throws IOException {
        byte[] encoded = text.getBytes(StandardCharsets.UTF_8);
        if (encoded.length > CAPACITY - size) {
            flushBuffer();
        }
        if (encoded.length > CAPACITY) {
            out.write(encoded);
        } else {
            System.arraycopy(encoded, 0, bytes, size, encoded.length);
            size += encoded.length;
        }
        return this;
    }

    /** Writes a decimal number, 0 or more. */
    TextOutput number(long value) throws IOException {
        room(LONGEST_NUMBER);
        int digits = 1;
        for (long rest = value; rest >= 10; rest /= 10) {
            digits++;
        }
        int at = size + digits;
        long rest = value;
        do {
            bytes[--at] = (byte) ('0' + rest % 10);
            rest /= 10;
        } while (at > size);
        size += digits;
        return this;
    }

    /** Writes a decimal number, 0 or more, with blanks before it up to a width. */
    TextOutput number(long value, int width) throws IOException {
        int digits = 1;
        for (long rest = value; rest >= 10; rest /= 10) {
            digits++;
        }
        for (int i = digits; i < width; i++) {
            ascii(" ");
        }
        return number(value);
    }

    /** Writes a number as {@code %#-16x} of C does: in hex, filled up with blanks. */
    TextOutput hexColumn(long value) throws IOException {
        String text = value == 0 ? "0" : "0x" + Long.toHexString(value);
        ascii(text);
        for (int i = text.length(); i < 16; i++) {
            ascii(" ");
        }
        return this;
    }

    void flush() throws IOException {
        flushBuffer();
        out.flush();
    }

    private void room(int count) throws IOException {
        if (size > CAPACITY - count) {
            flushBuffer();
        }
    }

    private void flushBuffer() throws IOException {
        int written = size;
        size = 0;
        out.write(bytes, 0, written);
    }
}
