package dev.platter.cli;

import static org.assertj.core.api.Assertions.assertThat;

import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

final class SizesTest {

    @ParameterizedTest
    @CsvSource({
        "0, 0",
        "1, 1",
        "1023, 1023",
        "1024, 1.0K",
        "1536, 1.5K",
        "10188, 9.9K",
        "10189, 10K",
        "10240, 10K",
        "1047039, 1022K",
        "1048063, 1023K",
        "1048064, 1.0M",
        "132120576, 126M",
        "5261334938, 4.9G",
        "1099511627776, 1.0T",
        "9223372036854775807, 8.0E",
    })
    void humanRoundsToTheNearestWithOneDecimalBelowTen(long bytes, String expected) {
        assertThat(Sizes.human(bytes)).isEqualTo(expected);
    }

    @ParameterizedTest
    @CsvSource({
        "0, 0 B",
        "512, 512 B",
        "1000, 0.977 KiB",
        "4194304, 4 MiB",
        "417792, 408 KiB",
        "200704, 196 KiB",
        "1610612736, 1.5 GiB",
        "8796093022208, 8 TiB",
        "9223372036854775807, 8 EiB",
        "-1, 16 EiB",
    })
    void qemuPrintsThreeDigits(long bytes, String expected) {
        assertThat(Sizes.qemu(bytes)).isEqualTo(expected);
    }

    @ParameterizedTest
    @CsvSource({"3.125, 2, 3.12", "3.135, 2, 3.13", "0, 2, 0.00", "99.95, 1, 100.0"})
    void fixedRoundsAsCDoes(double value, int decimals, String expected) {
        assertThat(Sizes.fixed(value, decimals)).isEqualTo(expected);
    }
}
