package dev.platter.cli;

import java.math.BigInteger;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/** Whole numbers as strtoull of C reads them with base 0: {@code 10}, {@code 0xa}, {@code 012}. */
final class CNumber {
    private static final Pattern NUMBER =
            Pattern.compile("\\s*([+-]?)(?:0[xX]([0-9a-fA-F]{1,40})|(0[0-7]{0,40})|([1-9][0-9]{0,40}))");

    private CNumber() {}

    /** Returns a number from 0 to {@code most}; -1 if the text is none. */
    static long parse(String text, long most) {
        Matcher matcher = NUMBER.matcher(text);
        if (!matcher.matches()) {
            return -1;
        }
        BigInteger number = matcher.group(2) != null
                ? new BigInteger(matcher.group(2), 16)
                : matcher.group(3) != null ? new BigInteger(matcher.group(3), 8) : new BigInteger(matcher.group(4));
        if (matcher.group(1).equals("-") && number.signum() > 0) {
            return -1;
        }
        return number.compareTo(BigInteger.valueOf(most)) > 0 ? -1 : number.longValueExact();
    }
}
