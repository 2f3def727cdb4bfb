package dev.platter.cli;

import java.math.BigDecimal;
import java.math.RoundingMode;

/** Numbers of bytes as {@code qemu-img} takes them: {@code 512}, {@code 64k}, {@code 1.5G}. */
final class ByteCount {
    private static final String LETTERS = "kmgtpe";

    private ByteCount() {}

    /**
     * Returns the bytes that a text says.
     *
     * @param what is being set, for the message
     */
    static long parse(String what, String text) {
        String digits = text;
        int power = 0;
        if (!text.isEmpty()) {
            char last = Character.toLowerCase(text.charAt(text.length() - 1));
            power = LETTERS.indexOf(last) + 1;
            digits = power > 0 || last == 'b' ? text.substring(0, text.length() - 1) : text;
        }
        try {
            BigDecimal bytes = new BigDecimal(digits).multiply(new BigDecimal(1L << (10 * power)));
            if (bytes.signum() < 0) {
                throw new UsageException(what + ": " + text + " is negative");
            }
            return bytes.setScale(0, RoundingMode.DOWN).longValueExact();
        } catch (NumberFormatException e) {
            throw new UsageException(what + ": " + text + " is no number of bytes; 512, 64k, 10G are");
        } catch (ArithmeticException e) {
            throw new UsageException(what + ": " + text + " is more than 2^63-1 bytes");
        }
    }
}
