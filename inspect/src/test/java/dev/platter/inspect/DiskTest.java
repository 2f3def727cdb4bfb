package dev.platter.inspect;

import static org.assertj.core.api.Assertions.assertThat;

import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class DiskTest {

    @ParameterizedTest
    @CsvSource({"0, /dev/sda", "1, /dev/sdb", "25, /dev/sdz", "26, /dev/sdaa", "51, /dev/sdaz", "52, /dev/sdba"})
    void disksAreNamedAsLinuxNamesThem(int index, String name) {
        assertThat(Disk.nameOf(index)).isEqualTo(name);
    }

    @ParameterizedTest
    @CsvSource({"701, /dev/sdzz", "702, /dev/sdaaa", "18277, /dev/sdzzz", "18278, /dev/sdaaaa"})
    void namesGrowByALetterWhenAllAreUsed(int index, String name) {
        assertThat(Disk.nameOf(index)).isEqualTo(name);
    }
}
