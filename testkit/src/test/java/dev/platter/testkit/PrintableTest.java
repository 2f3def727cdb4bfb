package dev.platter.testkit;

import static org.assertj.core.api.Assertions.assertThat;

import dev.platter.core.CorruptImageException;
import dev.platter.core.Printable;
import dev.platter.core.Warning;
import java.nio.ByteBuffer;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class PrintableTest {

    @ParameterizedTest
    @ValueSource(strings = {"", "root", "Größe 日本語", "\ud83d\udcbe disk", "a b~", "\u00a0\u00ff", "ZWJ \u200d"})
    void plainTextIsReturnedAsItIs(String text) {
        assertThat(Printable.escape(text)).isSameAs(text);
    }

    @Test
    void controlsAreWrittenAsTwoHexDigits() {
        assertThat(Printable.escape("a\u001b[31mb\r\n\t\u0000\u007f\u009b"))
                .isEqualTo("a\\x1b[31mb\\x0d\\x0a\\x09\\x00\\x7f\\x9b");
    }

    @Test
    void whatReversesOrBreaksLinesIsWrittenAsFourHexDigits() {
        assertThat(Printable.escape("\u202etxt\u2066\u2029\u061c\ufeff\u200f"))
                .isEqualTo("\\u202etxt\\u2066\\u2029\\u061c\\ufeff\\u200f");
    }

    @Test
    void loneSurrogatesAreEscapedAndPairsAreNot() {
        assertThat(Printable.escape("\ud83d")).isEqualTo("\\ud83d");
        assertThat(Printable.escape("\udcbe\ud83d")).isEqualTo("\\udcbe\\ud83d");
        assertThat(Printable.escape("\ud83d\ud83d\udcbe\udcbe")).isEqualTo("\\ud83d\ud83d\udcbe\\udcbe");
    }

    @Test
    void noCharacterThatActsOnATerminalSurvives() {
        for (char c = 0; c < Character.MAX_VALUE; c++) {
            boolean acts = Character.isISOControl(c)
                    || Character.isSurrogate(c)
                    || Character.getType(c) == Character.LINE_SEPARATOR
                    || Character.getType(c) == Character.PARAGRAPH_SEPARATOR
                    || isBidirectionalControl(c);
            if (acts) {
                assertThat(Printable.escape("x" + c + "y"))
                        .as("U+%04x", (int) c)
                        .matches("x\\\\[xu][0-9a-f]+y");
            }
        }
    }

    private static boolean isBidirectionalControl(char c) {
        return switch (Character.getDirectionality(c)) {
            case Character.DIRECTIONALITY_LEFT_TO_RIGHT_EMBEDDING,
                    Character.DIRECTIONALITY_LEFT_TO_RIGHT_OVERRIDE,
                    Character.DIRECTIONALITY_RIGHT_TO_LEFT_EMBEDDING,
                    Character.DIRECTIONALITY_RIGHT_TO_LEFT_OVERRIDE,
                    Character.DIRECTIONALITY_POP_DIRECTIONAL_FORMAT,
                    Character.DIRECTIONALITY_LEFT_TO_RIGHT_ISOLATE,
                    Character.DIRECTIONALITY_RIGHT_TO_LEFT_ISOLATE,
                    Character.DIRECTIONALITY_FIRST_STRONG_ISOLATE,
                    Character.DIRECTIONALITY_POP_DIRECTIONAL_ISOLATE -> true;
            default -> false;
        };
    }

    @Test
    void escapingTwiceChangesNothingMore() {
        String once = Printable.escape("a\u001bb\u202e");

        assertThat(Printable.escape(once)).isSameAs(once);
    }

    @Test
    void quoteShortensLongNamesAndNeverSplitsIntoAControl() {
        assertThat(Printable.quote("vg0")).isEqualTo("\"vg0\"");
        assertThat(Printable.quote("x".repeat(200))).isEqualTo('"' + "x".repeat(200) + '"');
        assertThat(Printable.quote("x".repeat(201))).isEqualTo('"' + "x".repeat(200) + "…\"");
        assertThat(Printable.quote("x".repeat(199) + "\ud83d\udcbe")).isEqualTo('"' + "x".repeat(199) + "\\ud83d…\"");
        assertThat(Printable.quote("\u0007".repeat(1_000_000))).hasSizeLessThan(1000);
    }

    @Test
    void bytesThatAreNoUtf8BecomeReplacementCharacters() {
        assertThat(Printable.utf8(ByteBuffer.wrap(new byte[] {'a', (byte) 0xff, (byte) 0xc3})))
                .isEqualTo("a\ufffd\ufffd");
        assertThat(Printable.utf8(ByteBuffer.wrap(new byte[] {(byte) 0xe2, (byte) 0x82, (byte) 0xac})))
                .isEqualTo("€");
    }

    @Test
    void messagesAndWarningsAreEscaped() {
        assertThat(new CorruptImageException("name \u001b]0;x\u0007")).hasMessage("name \\x1b]0;x\\x07");
        assertThat(new Warning(-1, "\u001b").text()).isEqualTo("\\x1b");
        assertThat(new Warning(7, "a\nb")).hasToString("a\\x0ab");
    }
}
