package dev.platter.nbd.tls;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIOException;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.util.HexFormat;
import javax.security.auth.x500.X500Principal;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class DistinguishedNamesTest {
    private static final int UTF8 = 0x0c;
    private static final int PRINTABLE = 0x13;
    private static final int TELETEX = 0x14;
    private static final int IA5 = 0x16;
    private static final int UNIVERSAL = 0x1c;
    private static final int BMP = 0x1e;

    private static final String COMMON_NAME = "550403";
    private static final String COUNTRY = "550406";
    private static final String EMAIL = "2a864886f70d010901";

    @Test
    void theOrderIsThatOfTheCertificate() throws IOException {
        assertThat(render(
                        rdn(COUNTRY, PRINTABLE, "GB"),
                        rdn("550408", UTF8, "London"),
                        rdn("550407", UTF8, "City Of London"),
                        rdn("55040a", UTF8, "Example, Org"),
                        rdn("55040b", UTF8, "Dev"),
                        rdn(COMMON_NAME, UTF8, "laptop.example.com")))
                .isEqualTo("C=GB,ST=London,L=City Of London,O=Example\\, Org,OU=Dev,CN=laptop.example.com");
    }

    @Test
    void anEmptyNameIsEmpty() throws IOException {
        assertThat(render()).isEmpty();
    }

    @ParameterizedTest
    @CsvSource(
            delimiter = '|',
            quoteCharacter = '`',
            value = {
                "a,b|a\\,b",
                "a+b|a\\+b",
                "a\"b|a\\\"b",
                "a\\b|a\\\\b",
                "<a>;|\\<a\\>\\;",
                "#a|\\#a",
                "a#|a#",
                "` a b `|`\\ a b\\ `",
                "` `|`\\ `",
                "a=b|a=b",
                "é€|é€"
            })
    void charactersThatMeanSomethingAreEscaped(String value, String shown) throws IOException {
        assertThat(render(rdn(COMMON_NAME, UTF8, value))).isEqualTo("CN=" + shown);
    }

    @Test
    void attributesOfOnePartAreJoinedByPlus() throws IOException {
        byte[] part = Der.element(
                Der.SET,
                attribute(COMMON_NAME, UTF8, "a".getBytes(StandardCharsets.UTF_8)),
                attribute("55040b", UTF8, "b".getBytes(StandardCharsets.UTF_8)));

        assertThat(render(rdn(COUNTRY, PRINTABLE, "GB"), part)).isEqualTo("C=GB,CN=a+OU=b");
    }

    @Test
    void attributesWithoutAKeywordAreWrittenInHexadecimal() throws IOException {
        assertThat(render(rdn("2a0304", UTF8, "ab"))).isEqualTo("1.2.3.4=#0c026162");
    }

    @Test
    void aTypeOfStringThatIsNotTheAttributesIsWrittenInHexadecimal() throws IOException {
        assertThat(render(rdn(COUNTRY, UTF8, "GB"))).isEqualTo("C=#0c024742");
        assertThat(render(rdn(EMAIL, IA5, "a@b"))).isEqualTo("EMAIL=a@b");
        assertThat(render(rdn(EMAIL, UTF8, "a@b"))).isEqualTo("EMAIL=#0c03614062");
    }

    @Test
    void stringsOfWideCharactersAreTextOrHexadecimal() throws IOException {
        assertThat(render(rdn(COMMON_NAME, BMP, "a€".getBytes(StandardCharsets.UTF_16BE))))
                .isEqualTo("CN=a€");
        assertThat(render(rdn(COMMON_NAME, UNIVERSAL, new byte[] {0, 0, 0, 'a'})))
                .isEqualTo("CN=\\#00000061");
        assertThat(render(rdn(COMMON_NAME, TELETEX, "abc"))).isEqualTo("CN=abc");
        assertThat(render(rdn(COMMON_NAME, TELETEX, new byte[] {'a', (byte) 0xe9})))
                .isEqualTo("CN=\\#61e9");
    }

    @Test
    void textThatIsNoneIsWrittenInHexadecimal() throws IOException {
        assertThat(render(rdn(COMMON_NAME, UTF8, new byte[] {'a', 0, 'b'}))).isEqualTo("CN=#0c03610062");
        assertThat(render(rdn(COMMON_NAME, UTF8, new byte[] {(byte) 0xff}))).isEqualTo("CN=#0c01ff");
        assertThat(render(rdn(COMMON_NAME, UTF8, ""))).isEqualTo("CN=#0c00");
    }

    @Test
    void aValueWithoutAUsableTagIsAnError() {
        byte[] exotic = Der.element(
                Der.SET,
                Der.element(
                        Der.SEQUENCE,
                        Der.element(Der.OBJECT_IDENTIFIER, HexFormat.of().parseHex(COMMON_NAME)),
                        new byte[] {0x1f, (byte) 0x81, 1, 0}));

        assertThatIOException().isThrownBy(() -> DistinguishedNames.render(name(exotic)));
    }

    private static String render(byte[]... parts) throws IOException {
        return DistinguishedNames.render(name(parts));
    }

    private static X500Principal name(byte[]... parts) throws IOException {
        try {
            return new X500Principal(Der.element(Der.SEQUENCE, parts));
        } catch (IllegalArgumentException e) {
            throw new IOException("the JDK does not read it either", e);
        }
    }

    private static byte[] rdn(String type, int tag, String value) {
        return rdn(type, tag, value.getBytes(StandardCharsets.UTF_8));
    }

    private static byte[] rdn(String type, int tag, byte[] value) {
        return Der.element(Der.SET, attribute(type, tag, value));
    }

    private static byte[] attribute(String type, int tag, byte[] value) {
        return Der.element(
                Der.SEQUENCE,
                Der.element(Der.OBJECT_IDENTIFIER, HexFormat.of().parseHex(type)),
                Der.element(tag, value));
    }
}
