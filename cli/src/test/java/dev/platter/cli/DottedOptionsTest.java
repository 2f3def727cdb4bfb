package dev.platter.cli;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.IOException;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

final class DottedOptionsTest {

    @Test
    void twoCommasAreOne() throws IOException {
        DottedOptions options = DottedOptions.parse("driver=raw,file.filename=a,,b,,,,c=d,size=1k", "file", true);

        assertThat(options.take("driver")).isEqualTo("raw");
        assertThat(options.takeSize("size", 0)).isEqualTo(1024);
        assertThat(options.takeAll("file").take("filename")).isEqualTo("a,b,,c=d");
        assertThat(options.left()).isNull();
    }

    @Test
    void firstWordMayHaveNoKey() throws IOException {
        assertThat(DottedOptions.parse("a,,b.raw", "file", true).take("file")).isEqualTo("a,b.raw");
        assertThat(DottedOptions.parse("secret,id=x", "qom-type", false).take("qom-type"))
                .isEqualTo("secret");
    }

    @Test
    void wordsWithoutAValueAreOnOrOff() throws IOException {
        DottedOptions options = DottedOptions.parse("driver=raw,read-only,nolocking", "file", true);

        assertThat(options.takeFlag("read-only", false)).isTrue();
        assertThat(options.takeFlag("locking", true)).isFalse();
        assertThatThrownBy(() -> DottedOptions.parse("secret,id", "qom-type", false))
                .isInstanceOf(StartFailure.class)
                .hasMessage("Expected '=' after parameter 'id'");
    }

    @Test
    void lastOfSeveralCounts() throws IOException {
        assertThat(DottedOptions.parse("a=1,a=2", "file", true).take("a")).isEqualTo("2");
    }

    @Test
    void jsonIsTheSame() throws IOException {
        DottedOptions options = DottedOptions.json(
                "{\"driver\":\"raw\",\"offset\":512,\"read-only\":true,\"file\":{\"file\":{\"filename\":\"a,b\"}},"
                        + "\"rules\":[{\"match\":\"x\"},{\"match\":\"y\"}]}");

        assertThat(options.take("driver")).isEqualTo("raw");
        assertThat(options.takeSize("offset", 0)).isEqualTo(512);
        assertThat(options.takeFlag("read-only", false)).isTrue();
        assertThat(options.takeAll("file").takeAll("file").take("filename")).isEqualTo("a,b");
        assertThat(options.takeList("rules"))
                .hasSize(2)
                .last()
                .satisfies(rule -> assertThat(rule.take("match")).isEqualTo("y"));
        assertThat(options.isEmpty()).isTrue();
    }

    @ParameterizedTest
    @ValueSource(strings = {"", "x", "[1]", "{", "{\"a\":1", "{\"a\":1} x", "{\"a\":}", "null"})
    void whatIsNoJsonObjectIsRefused(String text) {
        assertThatThrownBy(() -> DottedOptions.json(text))
                .isInstanceOf(StartFailure.class)
                .hasMessageStartingWith("JSON parse error");
    }

    @Test
    void jsonMayBeNestedAsDeepAsOptionsMakeSense() {
        assertThatThrownBy(() -> DottedOptions.json("{\"a\":".repeat(900) + "1" + "}".repeat(900)))
                .isInstanceOf(StartFailure.class)
                .hasMessageContaining("nested more than");
    }

    @Test
    void holesInAListAreLeft() throws IOException {
        DottedOptions options = DottedOptions.parse("x=1,rules.0.match=a,rules.2.match=b", "x", false);
        options.take("x");

        assertThat(options.takeList("rules")).hasSize(1);
        assertThat(options.left()).isEqualTo("rules.2.match");
    }
}
