package dev.platter.cli;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

final class ByteCountTest {

    @ParameterizedTest
    @CsvSource({
        "0, 0",
        "512, 512",
        "007, 7",
        "5b, 5",
        "1k, 1024",
        "1K, 1024",
        "3M, 3145728",
        "2g, 2147483648",
        "1T, 1099511627776",
        "1P, 1125899906842624",
        "1e, 1152921504606846976",
        "7E, 8070450532247928832",
        "1.5G, 1610612736",
        "1.k, 1024",
        "1.0, 1",
        "0.7k, 717",
        "0x200, 512",
        "0X1f, 31",
        "9223372036854775807, 9223372036854775807",
    })
    void numbersOfQemuAreRead(String text, long bytes) {
        assertThat(ByteCount.parse("SIZE", text)).isEqualTo(bytes);
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "",
                " ",
                "k",
                "1e9",
                "1E999999999",
                "-1",
                "+1",
                " 1",
                "1 ",
                "1kk",
                "1kb",
                "1.5",
                "1.5b",
                ".5k",
                "0x",
                "0x1.8",
                "0x1k",
                "x",
                "1,5k",
                "१"
            })
    void whatQemuRefusesIsRefused(String text) {
        assertThatThrownBy(() -> ByteCount.parse("SIZE", text))
                .isInstanceOf(UsageException.class)
                .hasMessageContaining("SIZE: " + text);
    }

    @ParameterizedTest
    @ValueSource(strings = {"8E", "9223372036854775808", "0xffffffffffffffff", "99999999999999999999P"})
    void moreThanALongIsRefused(String text) {
        assertThatThrownBy(() -> ByteCount.parse("SIZE", text))
                .isInstanceOf(UsageException.class)
                .hasMessageContaining("2^63-1");
    }
}
