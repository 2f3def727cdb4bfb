package dev.platter.lvm;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.platter.core.CorruptImageException;
import dev.platter.core.DiskImageException;
import dev.platter.core.LimitExceededException;
import dev.platter.core.Limits;
import java.nio.charset.StandardCharsets;
import java.util.List;
import java.util.OptionalLong;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

class MetadataParserTest {

    private static MetadataSection parse(String text) throws DiskImageException {
        return parse(text, Limits.defaults());
    }

    private static MetadataSection parse(String text, Limits limits) throws DiskImageException {
        return MetadataParser.parse(text.getBytes(StandardCharsets.UTF_8), "text", limits, new MetadataBudget(limits));
    }

    @ParameterizedTest
    @ValueSource(strings = {"", " \t\r\n", "# only a comment", "#\n\n#", "\0a = ["})
    void textWithoutContentsIsEmpty(String text) throws DiskImageException {
        MetadataSection root = parse(text);

        assertThat(root.values()).isEmpty();
        assertThat(root.sections()).isEmpty();
    }

    @ParameterizedTest
    @CsvSource({
        "0, 0",
        "-1, -1",
        "+7, 7",
        "0x7fffffff, 2147483647",
        "-0x10, -16",
        "010, 8",
        "9223372036854775807, 9223372036854775807",
        "-9223372036854775808, -9223372036854775808"
    })
    void numbersAreThoseOfC(String word, long value) throws DiskImageException {
        assertThat(parse("a=" + word + "\n").number("a")).isEqualTo(OptionalLong.of(value));
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "9223372036854775808",
                "-9223372036854775809",
                "0xffffffffffffffff",
                "1x",
                "-",
                "+",
                "--1",
                "1.2.3",
                "1e9",
                "0x"
            })
    void wordsThatBeginLikeNumbersAndAreNoneAreRefused(String word) {
        assertThatThrownBy(() -> parse("a = " + word))
                .isInstanceOf(CorruptImageException.class)
                .hasMessageContaining("is not a number");
    }

    @Test
    void numberOfManyDigitsIsRefused() {
        assertThatThrownBy(() -> parse("a = " + "1".repeat(400)))
                .isInstanceOf(CorruptImageException.class)
                .hasMessageContaining("a number of 400 characters");
    }

    @Test
    void decimalsStringsAndWordsAreValues() throws DiskImageException {
        MetadataSection root = parse("d = 1.5 s = \"q\\\"\\\\\\n\" r = 'a\"\\b' w = word\n");

        assertThat(root.values().get("d")).isEqualTo(new MetadataValue.Decimal(1.5));
        assertThat(root.text("s")).contains("q\"\\\\n");
        assertThat(root.text("r")).contains("a\"\\b");
        assertThat(root.text("w")).contains("word");
        assertThat(root.number("w")).isEmpty();
        assertThat(root.text("d")).isEmpty();
    }

    @ParameterizedTest
    @ValueSource(strings = {"[]", "[ ]", "[,]", "[#x\n]"})
    void arrayWithoutItemsIsEmpty(String array) throws DiskImageException {
        assertThat(parse("a = " + array).values().get("a")).isEqualTo(new MetadataValue.Items(List.of()));
    }

    @ParameterizedTest
    @ValueSource(strings = {"[\"x\", 1, y]", "[\"x\" 1 y]", "[\n\"x\",1,\ny,\n]", "[,\"x\"1'y']"})
    void commasInArraysAreOptional(String array) throws DiskImageException {
        assertThat(parse("a = " + array).values().get("a"))
                .isEqualTo(new MetadataValue.Items(
                        List.of(new MetadataValue.Text("x"), new MetadataValue.Whole(1), new MetadataValue.Text("y"))));
    }

    @Test
    void keysEndAtBlanksCommentsAndSigns() throws DiskImageException {
        MetadataSection root = parse("with-dash_2=1 a+b.c{k#c\n=2}\"quoted key\" = 3 x\t{\n}");

        assertThat(root.number("with-dash_2")).hasValue(1);
        assertThat(root.section("a+b.c").orElseThrow().number("k")).hasValue(2);
        assertThat(root.number("quoted key")).hasValue(3);
        assertThat(root.section("x")).isPresent();
    }

    @Test
    void firstOfRepeatedKeysIsKeptAndTold() throws DiskImageException {
        MetadataSection root = parse("a = 1 a = 2 a { } s { x = 1 } s { x = 2 } b = 1");

        assertThat(root.number("a")).hasValue(1);
        assertThat(root.section("a")).isEmpty();
        assertThat(root.section("s").orElseThrow().number("x")).hasValue(1);
        assertThat(root.repeatedKeys()).containsExactly("a", "s");
    }

    @Test
    void textThatIsNoUtf8IsKeptWithReplacements() throws DiskImageException {
        byte[] text = {'a', '=', '"', (byte) 0xff, '"'};

        MetadataSection root =
                MetadataParser.parse(text, "text", Limits.defaults(), new MetadataBudget(Limits.defaults()));

        assertThat(root.text("a")).contains("\ufffd");
    }

    @ParameterizedTest
    @CsvSource(
            delimiter = '|',
            value = {
                "a { | byte 3 of the text: the text ends inside the section \"a\"",
                "} | a closing brace without an opening one",
                "a = \"x | the text ends inside a string",
                "a = \"x\\\" | the text ends inside a string",
                "a = 'x\\ | the text ends inside a string",
                "a = [1, | the text ends inside an array",
                "a = [[1]] | a value is expected",
                "a = } | a value is expected",
                "a = ] | a value is expected",
                "a = | the text ends where a value is expected",
                "a | neither '=' nor '{' after the key \"a\"",
                "a b | neither '=' nor '{' after the key \"a\"",
                "\"\" { } | an empty key",
                "= 1 | an empty key",
                "{ } | an empty key"
            })
    void textAgainstTheGrammarIsRefusedWithItsPlace(String text, String message) {
        assertThatThrownBy(() -> parse(text))
                .isInstanceOf(CorruptImageException.class)
                .hasMessageContaining(message);
    }

    @Test
    void controlCharactersInMessagesAreEscaped() {
        assertThatThrownBy(() -> parse("\u001b[31mred")).hasMessageContaining("\"\\x1b[31mred\"");
    }

    @Test
    void sectionsNestAsDeepAsTheLimitAllows() throws DiskImageException {
        Limits limits = Limits.defaults().withNesting(3);

        MetadataSection root = parse("a{".repeat(3) + "}".repeat(3), limits);

        assertThat(root.sections()).hasSize(1);
        assertThatThrownBy(() -> parse("a{".repeat(4) + "}".repeat(4), limits))
                .isInstanceOf(LimitExceededException.class)
                .hasMessageContaining("Limits.nesting (3)");
    }

    @Test
    void millionsOfSectionsAreRefusedBeforeTheyFillTheHeap() {
        String many = "a { " + "b{}".repeat(1_000_000) + "}";

        assertThatThrownBy(() -> parse(many))
                .isInstanceOf(LimitExceededException.class)
                .hasMessageContaining("Limits.metadataBytes");
    }

    @Test
    void millionsOfItemsAreRefusedBeforeTheyFillTheHeap() {
        assertThatThrownBy(() -> parse("a = [" + "1,".repeat(2_000_000) + "]"))
                .isInstanceOf(LimitExceededException.class);
    }

    @Test
    void nameBeyondTheLimitIsRefused() throws DiskImageException {
        Limits limits = Limits.defaults().withNameBytes(5);

        assertThat(parse("abcde = 1", limits).number("abcde")).hasValue(1);
        assertThatThrownBy(() -> parse("abcdef = 1", limits))
                .isInstanceOf(LimitExceededException.class)
                .hasMessageContaining("Limits.nameBytes allows 5");
    }

    @Test
    void stringLongerThanAnySensibleOneIsRefused() {
        assertThatThrownBy(() -> parse("a = \"" + "x".repeat(2 << 20) + '"'))
                .isInstanceOf(LimitExceededException.class)
                .hasMessageContaining("a string of 2097152 bytes");
    }
}
