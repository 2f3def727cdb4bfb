package dev.platter.cli;

import java.math.BigDecimal;
import java.math.BigInteger;
import java.math.RoundingMode;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/**
 * Numbers of bytes as {@code qemu-img} takes them: {@code 512}, {@code 64k}, {@code 1.5G}, {@code 0x200}. QEMU:
 * util/cutils.c, do_strtosz.
 */
final class ByteCount {
    private static final String LETTERS = "bkmgtpe";
    private static final Pattern DECIMAL = Pattern.compile("([0-9]{1,40})(?:\\.([0-9]{0,40}))?([bBkKmMgGtTpPeE]?)");
    private static final Pattern HEXADECIMAL = Pattern.compile("0[xX]([0-9a-fA-F]{1,40})");

    private ByteCount() {}

    /**
     * Returns the bytes that a text says.
     *
     * @param what is being set, for the message
     */
    static long parse(String what, String text) {
        Matcher hexadecimal = HEXADECIMAL.matcher(text);
        BigInteger bytes = hexadecimal.matches() ? new BigInteger(hexadecimal.group(1), 16) : decimal(what, text);
        if (bytes.bitLength() > 63) {
            throw new UsageException(what + ": " + text + " is more than 2^63-1 bytes");
        }
        return bytes.longValueExact();
    }

    private static BigInteger decimal(String what, String text) {
        Matcher decimal = DECIMAL.matcher(text);
        if (!decimal.matches()) {
            throw new UsageException(what + ": " + text + " is no number of bytes; 512, 64k, 1.5G and 0x200 are");
        }
        String fraction = decimal.group(2) == null ? "" : decimal.group(2);
        String suffix = decimal.group(3);
        int power = suffix.isEmpty() ? 0 : LETTERS.indexOf(Character.toLowerCase(suffix.charAt(0)));
        BigDecimal number = new BigDecimal(decimal.group(1) + "." + fraction + "0");
        if (power == 0 && number.stripTrailingZeros().scale() > 0) {
            throw new UsageException(what + ": " + text + " has a part of a byte");
        }
        return number.multiply(new BigDecimal(1L << (10 * power)))
                .setScale(0, RoundingMode.HALF_UP)
                .toBigInteger();
    }
}
