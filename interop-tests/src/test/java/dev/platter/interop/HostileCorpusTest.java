package dev.platter.interop;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import dev.platter.core.BlockDevice;
import dev.platter.core.CheckListener;
import dev.platter.core.CheckReport;
import dev.platter.core.DiskImage;
import dev.platter.core.DiskImageException;
import dev.platter.core.DiskImages;
import dev.platter.core.OpenOptions;
import dev.platter.inspect.ImageInspector;
import dev.platter.inspect.InspectionReport;
import dev.platter.testkit.Corpus;
import dev.platter.testkit.CorpusImage;
import dev.platter.testkit.TripwireProvider;
import java.io.IOException;
import java.lang.management.ManagementFactory;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.List;
import java.util.Objects;
import java.util.Set;
import java.util.regex.Pattern;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/**
 * Every hostile image of the corpus against the demand that its manifest states. In every case: an answer or a {@link
 * DiskImageException}, in a heap of 64 MiB, within two seconds of CPU, without a file opened but the image.
 */
class HostileCorpusTest {
    private static final long MOST_CPU_NANOS = 2_000_000_000L;
    private static final Pattern UNSAFE =
            Pattern.compile("[\\x00-\\x08\\x0b-\\x1f\\x7f-\\x9f\\u202a-\\u202e\\u2066-\\u2069]");

    /** What one inspection came to. */
    private record Outcome(
            @Nullable DiskImageException refusal, @Nullable ImageInspector image, String json) {
        boolean isWhole() {
            return image != null && image.problems().isEmpty();
        }

        /** Whether something is said to be wrong, anywhere in the report. */
        boolean isWarned() throws IOException {
            if (!isWhole()) {
                return true;
            }
            JsonNode report = new ObjectMapper().readTree(json);
            return report.findValues("warnings").stream().anyMatch(list -> !list.isEmpty())
                    || report.findValues("problem").stream().anyMatch(JsonNode::isTextual)
                    || !report.path("ambiguous").isEmpty();
        }
    }

    static List<CorpusImage> images() {
        return Corpus.assumeCorpus().images("hostile").stream()
                .filter(image -> !image.file().endsWith(".data"))
                .toList();
    }

    /** The library that asks the system what a file takes keeps a file of its own open, from the first question on. */
    @BeforeAll
    static void askTheSystemOnce() throws IOException {
        try (DiskImage sample = DiskImages.open(ProjectFiles.root().resolve("examples/images/lvm-guest.qcow2"))) {
            assertThat(sample.info().actualSize()).isNotEqualTo(0);
        }
    }

    @ParameterizedTest
    @MethodSource("images")
    void hostileImageEndsAsItsManifestDemands(CorpusImage image) throws IOException {
        Path file = Corpus.assumeCorpus().unpack(image.file());
        OpenOptions options = OpenOptions.builder()
                .format(image.format().equals("raw") ? "raw" : null)
                .build();
        Set<String> before = OpenFiles.now();
        long cpu = cpuNanos();

        try (ImageInspector inspector = ImageInspector.open(file, options)) {
            Set<String> opened = OpenFiles.now();
            opened.removeAll(before);
            assertThat(opened).isSubsetOf(file.toRealPath().toString());
            InspectionReport report = inspector.report();
            String json = report.toJson();
            inspector.warnings().forEach(HostileCorpusTest::assertPrintable);
            inspector.problems().forEach(HostileCorpusTest::assertPrintable);
            judge(image, new Outcome(null, inspector, json));
        } catch (DiskImageException e) {
            judge(image, new Outcome(e, null, ""));
        }

        assertThat(cpuNanos() - cpu).as("CPU in ns").isLessThan(MOST_CPU_NANOS);
        Set<String> left = OpenFiles.now();
        left.removeAll(before);
        assertThat(left).as("left open").isEmpty();
        assertThat(TripwireProvider.opened()).isEmpty();
    }

    private static void judge(CorpusImage image, Outcome outcome) throws IOException {
        if (outcome.refusal() != null) {
            assertPrintable(String.valueOf(outcome.refusal().getMessage()));
        }
        assertPrintable(outcome.json());
        assertThat(outcome.json()).as("the contents of another file").doesNotContain("root:");
        JsonNode hostile = image.hostile();
        String demand = hostile.path("outcome").asText();
        String at = hostile.path("at").asText("open");
        boolean mayDoOtherwise = hostile.has("alternative");
        if (demand.equals("refused-reference") && !mayDoOtherwise) {
            assertThat(outcome.isWhole()).as("whole").isFalse();
        } else if (outcome.isWhole() && at.equals("read")) {
            boolean failed = failsToRead(outcome);
            assertThat(mayDoOtherwise || !demand.equals("error") || failed)
                    .as("reading fails")
                    .isTrue();
        } else if (outcome.isWhole() && at.equals("check")) {
            boolean found = checkFinds(outcome);
            assertThat(mayDoOtherwise || found).as("check finds something").isTrue();
        } else if (outcome.isWhole() && !mayDoOtherwise) {
            judgeInspection(demand, at, outcome);
        }
    }

    private static void judgeInspection(String demand, String at, Outcome outcome) throws IOException {
        if (demand.equals("error") && at.equals("open")) {
            assertThat(outcome.isWhole()).as("whole").isFalse();
        } else if (demand.equals("warning") || (demand.equals("error") && at.startsWith("list-"))) {
            assertThat(outcome.isWarned()).as("a warning in " + outcome.json()).isTrue();
        } else if (demand.equals("error") && at.startsWith("open-")) {
            assertThat(outcome.isWarned() || failsToReadVolumes(outcome))
                    .as("a problem, or an error at reading, of " + outcome.json())
                    .isTrue();
        }
    }

    private static boolean failsToRead(Outcome outcome) throws IOException {
        try (BlockDevice disk = Objects.requireNonNull(outcome.image()).device("/dev/sda")) {
            Reading.all(disk);
            return false;
        } catch (DiskImageException e) {
            assertPrintable(String.valueOf(e.getMessage()));
            return true;
        }
    }

    private static boolean failsToReadVolumes(Outcome outcome) throws IOException {
        ImageInspector image = Objects.requireNonNull(outcome.image());
        try {
            for (var entry : image.devices()) {
                try (BlockDevice device = image.device(entry.name())) {
                    Reading.all(device);
                }
            }
            for (var snapshot : disk(image).snapshots()) {
                try (BlockDevice device = disk(image).openSnapshot(snapshot.id())) {
                    Reading.all(device);
                }
            }
            return false;
        } catch (DiskImageException e) {
            assertPrintable(String.valueOf(e.getMessage()));
            return true;
        }
    }

    private static boolean checkFinds(Outcome outcome) throws IOException {
        try {
            CheckReport report = disk(Objects.requireNonNull(outcome.image())).check(new CheckListener() {});
            return report.corruptions() > 0 || report.leaks() > 0 || report.checkErrors() > 0;
        } catch (DiskImageException e) {
            assertPrintable(String.valueOf(e.getMessage()));
            return true;
        }
    }

    private static DiskImage disk(ImageInspector image) {
        return Objects.requireNonNull(image.disks().get(0).image());
    }

    private static void assertPrintable(String text) {
        assertThat(text).as("text without control characters").doesNotContainPattern(UNSAFE);
        assertThat(new String(text.getBytes(StandardCharsets.UTF_8), StandardCharsets.UTF_8))
                .isEqualTo(text);
    }

    private static long cpuNanos() {
        return ManagementFactory.getThreadMXBean().getCurrentThreadCpuTime();
    }
}
