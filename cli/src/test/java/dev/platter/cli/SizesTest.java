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
    @CsvSource({
        "0, 0",
        "1, 1",
        "1023, 1023",
        "1024, 1K",
        "1536, 1536",
        "1049600, 1025K",
        "9437184, 9M",
        "2199023255552, 2T",
        "1152921504606846976, 1E",
        "9223372036854775807, 9223372036854775807",
    })
    void exactIsTheLargestUnitThatDivides(long bytes, String expected) {
        assertThat(Sizes.exact(bytes)).isEqualTo(expected);
    }

    @ParameterizedTest
    @CsvSource({
        "0, 0",
        "100, 100",
        "6.25, 6.25",
        "3.125, 3.125",
        "33.333333333333336, 33.3333",
        "99.99999, 100",
        "0.0001, 0.0001",
        "0.00001234567, 1.23457e-05",
        "1.1641532182693481e-10, 1.16415e-10",
        "1e-100, 1e-100",
        "1234567, 1.23457e+06",
    })
    void generalIsThatOfC(double value, String expected) {
        assertThat(Sizes.general(value)).isEqualTo(expected);
    }

    @ParameterizedTest
    @CsvSource({"3.125, 2, 3.12", "3.135, 2, 3.13", "0, 2, 0.00", "99.95, 1, 100.0"})
    void fixedRoundsAsCDoes(double value, int decimals, String expected) {
        assertThat(Sizes.fixed(value, decimals)).isEqualTo(expected);
    }
}
