package dev.platter.cli;

import java.math.BigDecimal;
import java.math.MathContext;
import java.math.RoundingMode;

/** Numbers of bytes for people. */
final class Sizes {
    private static final String LETTERS = "KMGTPE";

    private Sizes() {}

    /**
     * Returns bytes as coreutils and virt-df print them with {@code -h}: base 1024, one decimal below 10, rounded to the
     * nearest: {@code 4.9G}, {@code 126M}, {@code 512}.
     */
    static String human(long bytes) {
        if (bytes < 1024) {
            return Long.toString(bytes);
        }
        int power = 0;
        long unit = 1024;
        // 1023.5K is 1.0M
        while (power < LETTERS.length() - 1 && bytes >= unit * 1024 - unit / 2) {
            unit *= 1024;
            power++;
        }
        long tenths = tenths(bytes, unit);
        String number = tenths < 100
                ? tenths / 10 + "." + tenths % 10
                : Long.toString(bytes / unit + (bytes % unit >= unit / 2 ? 1 : 0));
        return number + LETTERS.charAt(power);
    }

    private static long tenths(long bytes, long unit) {
        long whole = bytes / unit;
        if (whole >= 10) {
            return whole * 10;
        }
        // unit is at most 2^60: ten times the remainder needs more than a long only there
        long rest = bytes % unit;
        long tenths = unit >= 1L << 60 ? rest / (unit / 10) : (rest * 10 + unit / 2) / unit;
        return whole * 10 + tenths;
    }

    /** Returns a number as {@code %.2f} of C prints it, which looks at all binary digits where Java rounds twice. */
    static String fixed(double value, int decimals) {
        return new BigDecimal(value).setScale(decimals, RoundingMode.HALF_EVEN).toPlainString();
    }

    /** Returns a number, 0 or more, as {@code %g} of C prints it: six digits, with a power of ten where it is tiny or huge. */
    static String general(double value) {
        BigDecimal rounded = new BigDecimal(value).round(new MathContext(6, RoundingMode.HALF_EVEN));
        if (rounded.signum() == 0) {
            return "0";
        }
        int power = rounded.precision() - rounded.scale() - 1;
        if (power >= -4 && power < 6) {
            return rounded.stripTrailingZeros().toPlainString();
        }
        String digits = rounded.scaleByPowerOfTen(-power).stripTrailingZeros().toPlainString();
        return digits + (power < 0 ? "e-" : "e+") + (Math.abs(power) < 10 ? "0" : "") + Math.abs(power);
    }

    /** Returns bytes as libnbd prints them: as a multiple of the largest binary unit that divides them, {@code 9M}, {@code 1536}. */
    static String exact(long bytes) {
        for (int power = LETTERS.length(); power > 0; power--) {
            if (bytes != 0 && bytes % (1L << (10 * power)) == 0) {
                return (bytes >> (10 * power)) + LETTERS.substring(power - 1, power);
            }
        }
        return Long.toString(bytes);
    }

    /**
     * Returns bytes as {@code qemu-img} prints them: three digits and a binary unit, {@code 1.5 GiB}.
     *
     * @param bytes unsigned
     */
    static String qemu(long bytes) {
        int power = 0;
        double value = bytes < 0 ? bytes + 0x1p64 : bytes;
        while (value >= 1000 && power < LETTERS.length()) {
            value /= 1024;
            power++;
        }
        BigDecimal rounded = new BigDecimal(value).round(new MathContext(3, RoundingMode.HALF_EVEN));
        String number =
                rounded.signum() == 0 ? "0" : rounded.stripTrailingZeros().toPlainString();
        return number + " " + (power == 0 ? "" : LETTERS.charAt(power - 1) + "i") + "B";
    }
}
