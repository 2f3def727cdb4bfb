package dev.platter.filesystem;

import static org.assertj.core.api.Assertions.assertThat;

import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class ChecksumsTest {

    @ParameterizedTest
    @CsvSource({
        "'', ef46db3751d8e999",
        "a, d24ec4f1a98c6e5b",
        "abc, 44bc2cf5ad770999",
        "123456789, 8cb841db40e6ae83",
        "Nobody inspects the spammish repetition, fbcea83c8a378bf1",
    })
    void xxh64GivesThePublishedValues(String text, String expected) {
        assertThat(Long.toHexString(Checksums.xxh64(bytes(text)))).isEqualTo(expected);
    }

    @Test
    void crc32OfAnyStartIsThatOfTheJdkWhenInverted() {
        assertThat(~Checksums.crc32(-1, bytes("123456789"))).isEqualTo(0xcbf43926);
    }

    @Test
    void crc32cDoesNotMoveTheBuffer() {
        ByteBuffer bytes = bytes("123456789");

        assertThat(Checksums.crc32c(bytes)).isEqualTo(0xe3069283);
        assertThat(bytes.position()).isZero();
    }

    @Test
    void digestThatTheJdkLacksIsNull() {
        assertThat(Checksums.digest("whirlpool", bytes("abc"))).isNull();
        assertThat(Checksums.digest("sha1", bytes("a"), bytes("bc")))
                .isEqualTo("a9993e364706816aba3e25717850c26c9cd0d89d");
    }

    private static ByteBuffer bytes(String text) {
        return ByteBuffer.wrap(text.getBytes(StandardCharsets.US_ASCII));
    }
}
