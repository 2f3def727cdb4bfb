package dev.platter.lvm;

import static org.assertj.core.api.Assertions.assertThat;

import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class LvmNamesTest {

    @ParameterizedTest
    @ValueSource(strings = {"a", "A-z_9+.", ".hidden", "...", "x-", "_"})
    void namesOfAllowedCharactersAreSafe(String name) {
        assertThat(LvmNames.isSafe(name)).isTrue();
        assertThat(LvmNames.shown(name)).isEqualTo(name);
    }

    @ParameterizedTest
    @ValueSource(strings = {"", ".", "..", "-a", "a/b", "a b", "a\nb", "a\u001bb", "\u00e9", "a\0", "a'b"})
    void namesAgainstTheRulesAreNot(String name) {
        assertThat(LvmNames.isSafe(name)).isFalse();
        assertThat(LvmNames.shown(name)).startsWith("\"").doesNotContain("\n", "\u001b");
    }

    @Test
    void nameOf127CharactersIsTheLongest() {
        assertThat(LvmNames.isSafe("n".repeat(127))).isTrue();
        assertThat(LvmNames.isSafe("n".repeat(128))).isFalse();
    }

    @Test
    void uuidIsShownInGroups() {
        String plain = "E8fAr7ZbXAcVL673gAG0qwDJ5mNkYYi8";

        assertThat(LvmNames.uuid(plain)).isEqualTo("E8fAr7-ZbXA-cVL6-73gA-G0qw-DJ5m-NkYYi8");
        assertThat(LvmNames.uuid("E8fAr7-ZbXA-cVL6-73gA-G0qw-DJ5m-NkYYi8")).isEqualTo(LvmNames.uuid(plain));
        assertThat(LvmNames.uuid("!#" + plain.substring(2))).isNotNull();
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "",
                "abc",
                "E8fAr7ZbXAcVL673gAG0qwDJ5mNkYYi",
                "E8fAr7ZbXAcVL673gAG0qwDJ5mNkYYi89",
                "E8fAr7ZbXAcVL673gAG0qwDJ5mNkYYi_",
                "E8fAr7ZbXAcVL673gAG0qwDJ5mNkYYi\u00e9"
            })
    void textOfOtherLengthOrCharactersIsNoUuid(String text) {
        assertThat(LvmNames.uuid(text)).isNull();
    }
}
