package dev.platter.qcow2;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.JsonNode;
import dev.platter.core.CheckReport;
import dev.platter.testkit.Corpus;
import dev.platter.testkit.CorpusImage;
import java.io.IOException;
import java.util.stream.Stream;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/** The check against what qemu-img check says of the corpus. */
final class Qcow2CheckCorpusTest {

    static Stream<CorpusImage> checkedImages() {
        return Corpus.assumeCorpus().images().stream()
                .filter(image -> image.expected().has("check"));
    }

    static Stream<CorpusImage> damagedImages() {
        return Corpus.assumeCorpus().images("hostile").stream()
                .filter(image -> image.hostile().path("at").asText().equals("check"));
    }

    /** Damaged images that qemu-img could check, and that can be opened here. */
    static Stream<CorpusImage> comparableImages() {
        return Corpus.assumeCorpus().images("hostile").stream()
                .filter(image -> referenceCheck(image).has("counts"))
                .filter(image -> !image.hostile().path("at").asText().equals("open"));
    }

    private static JsonNode referenceCheck(CorpusImage image) {
        return image.hostile().path("reference").path("qemu-img check");
    }

    @ParameterizedTest
    @MethodSource("checkedImages")
    void checkCountsWhatQemuCounts(CorpusImage image) throws IOException {
        JsonNode expected = image.expected().path("check");

        CheckOutcome outcome = CheckOutcome.ours(Corpus.assumeCorpus().unpack(image.file()));

        assertThat(outcome).isEqualTo(new CheckOutcome(expected.path("exit").asInt(), CheckOutcome.report(expected)));
    }

    @ParameterizedTest
    @MethodSource("damagedImages")
    void checkFindsTheDamage(CorpusImage image) throws IOException {
        CheckOutcome outcome = CheckOutcome.ours(Corpus.assumeCorpus().unpack(image.file()));

        assertThat(outcome.exit()).isBetween(1, 2);
    }

    @ParameterizedTest
    @MethodSource("comparableImages")
    void checkCountsTheDamageThatQemuCounts(CorpusImage image) throws IOException {
        JsonNode counts = referenceCheck(image).path("counts");

        CheckOutcome outcome = CheckOutcome.ours(Corpus.assumeCorpus().unpack(image.file()));

        assertThat(outcome.exit()).isEqualTo(referenceCheck(image).path("exit").asInt());
        CheckReport report = outcome.report();
        assertThat(report).isNotNull();
        if (report != null) {
            assertThat(report.corruptions())
                    .isEqualTo(counts.path("corruptions").asLong());
            assertThat(report.leaks()).isEqualTo(counts.path("leaks").asLong());
        }
    }
}
