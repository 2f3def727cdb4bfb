package dev.platter.lvm;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.platter.core.BlockDevice;
import dev.platter.core.DiskImageException;
import dev.platter.core.DiskImages;
import dev.platter.core.Limits;
import dev.platter.core.OpenOptions;
import dev.platter.core.Printable;
import dev.platter.core.Warning;
import dev.platter.testkit.Corpus;
import dev.platter.testkit.CorpusImage;
import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/** Damaged and malicious physical volumes, each with the outcome that the corpus demands. */
class HostileCorpusTest {

    static List<CorpusImage> images() {
        return Corpus.assumeCorpus().images("hostile").stream()
                .filter(image -> image.file().startsWith("h-lvm-"))
                .toList();
    }

    @ParameterizedTest
    @MethodSource("images")
    void hostileImageHasTheOutcomeDemanded(CorpusImage image) throws IOException {
        Path file = Corpus.assumeCorpus().unpack(image.file());
        try (BlockDevice disk =
                DiskImages.open(file, OpenOptions.builder().format("raw").build())) {

            LvmScan scan = Lvm.scan(List.of(new PhysicalVolumeCandidate("/dev/sda", disk)), Limits.defaults());

            List<String> refused = openAll(scan);
            List<String> problems = problems(scan);
            List<String> warnings = scan.warnings().stream().map(Warning::text).toList();
            String all = String.join("\n", problems) + refused + warnings;
            assertThat(Printable.escape(all.replace("\n", ""))).isEqualTo(all.replace("\n", ""));
            String outcome = image.hostile().path("outcome").asText();
            String at = image.hostile().path("at").asText();
            boolean alternative = image.hostile().has("alternative");
            if (outcome.equals("error") && at.equals("open-volume")) {
                assertThat(refused.size() + problems.size()).as(all).isPositive();
            } else if (outcome.equals("error")) {
                boolean told = !problems.isEmpty() || (alternative && !warnings.isEmpty());
                assertThat(told || (alternative && refused.size() > 0)).as(all).isTrue();
            } else if (outcome.equals("warning") && !alternative) {
                assertThat(problems.size() + refused.size() + warnings.size())
                        .as(all)
                        .isPositive();
            } else {
                assertThat(outcome).isIn("warning", "escape");
            }
        }
    }

    /** Reads whatever can be read, and returns why the rest cannot. */
    private static List<String> openAll(LvmScan scan) throws IOException {
        List<String> refused = new ArrayList<>();
        for (VolumeGroup group : scan.volumeGroups()) {
            for (LogicalVolume volume : group.logicalVolumes()) {
                String problem = volume.problem();
                if (problem == null) {
                    try (BlockDevice device = volume.open()) {
                        Sha256.of(device);
                    }
                } else {
                    assertThatThrownBy(volume::open)
                            .isInstanceOf(DiskImageException.class)
                            .hasMessage(problem);
                    refused.add(problem);
                }
            }
        }
        return refused;
    }

    private static List<String> problems(LvmScan scan) {
        List<String> problems = new ArrayList<>(scan.problems());
        for (PhysicalVolume volume : scan.physicalVolumes()) {
            String problem = volume.problem();
            if (problem != null) {
                problems.add(problem);
            }
        }
        for (VolumeGroup group : scan.volumeGroups()) {
            String problem = group.problem();
            if (problem != null) {
                problems.add(problem);
            }
        }
        return problems;
    }
}
