package dev.platter.nbd.tls;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIOException;

import dev.platter.testkit.Seeds;
import java.io.IOException;
import java.util.Arrays;
import java.util.HexFormat;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

class DerTest {

    @ParameterizedTest
    @ValueSource(ints = {0, 1, 127, 128, 255, 256, 65535, 65536, 1 << 20})
    void whatIsMadeIsRead(int length) throws IOException {
        byte[] content = new byte[length];
        Arrays.fill(content, (byte) 7);
        byte[] element = Der.element(Der.OCTET_STRING, content);

        assertThat(new Der(element).content(Der.OCTET_STRING)).isEqualTo(content);
        assertThat(new Der(element).element()).isEqualTo(element);
    }

    @Test
    void elementsAreEnteredAndLeft() throws IOException {
        Der row = new Der(Der.element(
                        Der.SEQUENCE, Der.element(Der.INTEGER, new byte[] {5}), Der.element(Der.SET), new byte[] {5, 0
                        }))
                .enter(Der.SEQUENCE);

        assertThat(row.content(Der.INTEGER)).containsExactly(5);
        assertThat(row.enter(Der.SET).hasMore()).isFalse();
        assertThat(row.rest()).containsExactly(5, 0);
        assertThat(row.hasMore()).isFalse();
    }

    @ParameterizedTest
    @CsvSource({
        "'', ends where an element should begin",
        "30, without a length",
        "3005, of 5 bytes where 0 are left",
        "30820100, of 256 bytes where 0 are left",
        "3084ffffffff00, of 4294967295 bytes where 1 are left",
        "3080, without a usable length",
        "308501000000000, without a usable length",
        "3082, without a usable length",
        "1f8101, a tag of several bytes"
    })
    void whatIsNoElementIsRefused(String hex, String message) {
        byte[] bytes = HexFormat.of().parseHex(hex.length() % 2 == 0 ? hex : hex + "0");

        assertThatIOException().isThrownBy(() -> new Der(bytes).element()).withMessageContaining(message);
    }

    @Test
    void anotherTagIsRefused() {
        assertThatIOException()
                .isThrownBy(() -> new Der(new byte[] {4, 0}).enter(Der.SEQUENCE))
                .withMessage("tag 0x04 where 0x30 is expected");
    }

    @ParameterizedTest
    @CsvSource({
        "550403, 2.5.4.3",
        "2a864886f70d010901, 1.2.840.113549.1.9.1",
        "0992268993f22c640119, 0.9.2342.19200300.100.1.25",
        "8837, 2.999",
        "27, 0.39",
        "28, 1.0"
    })
    void objectIdentifiersAreWrittenWithDots(String hex, String text) throws IOException {
        assertThat(Der.objectIdentifier(HexFormat.of().parseHex(hex))).isEqualTo(text);
    }

    @ParameterizedTest
    @ValueSource(strings = {"", "5581", "ffffffffffffffffff7f"})
    void brokenObjectIdentifiersAreRefused(String hex) {
        assertThatIOException()
                .isThrownBy(() -> Der.objectIdentifier(HexFormat.of().parseHex(hex)));
    }

    @Test
    void randomBytesAreReadOrRefused() throws InterruptedException {
        Seeds.run(DerTest.class, 2000, random -> {
            byte[] bytes = new byte[random.nextInt(40)];
            random.nextBytes(bytes);
            if (bytes.length > 1) {
                bytes[1] = (byte) random.nextInt(8);
            }
            Der der = new Der(bytes);
            try {
                int total = 0;
                while (der.hasMore()) {
                    total += der.element().length;
                }
                assertThat(total).isEqualTo(bytes.length);
            } catch (IOException e) {
                assertThat(e.getMessage()).isNotBlank();
            }
        });
    }
}
