package dev.platter.partition;

import static org.assertj.core.api.Assertions.assertThat;

import dev.platter.testkit.ReferenceTools;
import java.io.IOException;
import java.util.LinkedHashMap;
import java.util.Locale;
import java.util.Map;
import org.junit.jupiter.api.Test;

class TypeNamesTest {

    @Test
    void mbrTypesAreNamedLikeSfdiskDoes() throws IOException {
        types("dos")
                .forEach((type, name) -> assertThat(MbrTypes.nameOf(Integer.parseInt(type, 16)))
                        .as(type)
                        .isEqualTo(name));
    }

    @Test
    void gptTypesAreNamedLikeSfdiskDoes() throws IOException {
        Map<String, String> expected = types("gpt");
        // renamed, and new ones come, with each release; what is known by both is named alike
        expected.keySet().removeIf(type -> GptTypes.nameOf(type).equals("unknown"));
        expected.remove("6A898CC3-1DD2-11B2-99A6-080020736631");

        assertThat(expected).hasSizeGreaterThan(150);
        expected.forEach(
                (type, name) -> assertThat(GptTypes.nameOf(type)).as(type).isEqualTo(name));
    }

    @Test
    void otherTypesAreUnknown() {
        assertThat(MbrTypes.nameOf(0x99)).isEqualTo("unknown");
        assertThat(GptTypes.nameOf("00000000-0000-0000-0000-000000000000")).isEqualTo("unknown");
    }

    private static Map<String, String> types(String label) throws IOException {
        ReferenceTools.assumeTool("sfdisk");
        Map<String, String> types = new LinkedHashMap<>();
        ReferenceTools.runOk("sfdisk", "--label", label, "--list-types")
                .stdout()
                .lines()
                .forEach(line -> {
                    String[] words = line.strip().split("\\s+", 2);
                    if (words.length == 2 && !words[0].equals("Id")) {
                        types.put(words[0].toUpperCase(Locale.ROOT), words[1]);
                    }
                });
        return types;
    }
}
