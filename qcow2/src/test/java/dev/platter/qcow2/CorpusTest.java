package dev.platter.qcow2;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.JsonNode;
import dev.platter.core.BlockDevice;
import dev.platter.core.BlockDevices;
import dev.platter.core.DiskImage;
import dev.platter.core.DiskImageException;
import dev.platter.core.DiskImages;
import dev.platter.core.OpenOptions;
import dev.platter.core.ReferencePolicy;
import dev.platter.core.ReferenceRefusedException;
import dev.platter.core.SnapshotInfo;
import dev.platter.core.Warning;
import dev.platter.testkit.Corpus;
import dev.platter.testkit.CorpusImage;
import java.io.IOException;
import java.io.InputStream;
import java.nio.ByteBuffer;
import java.nio.file.Path;
import java.security.DigestInputStream;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.ArrayList;
import java.util.HexFormat;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.stream.Stream;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/** The images of the corpus, and what the reference tools say of them. */
final class CorpusTest {

    /** What an image of the corpus may need: encryption is recognised only. */
    private static final Set<String> CANNOT_BE_READ = Set.of("aes", "luks");

    private final List<Warning> warnings = new ArrayList<>();

    static Stream<CorpusImage> readable() {
        return qcow2().filter(image -> !image.category().equals("hostile"));
    }

    static Stream<CorpusImage> hostile() {
        return qcow2().filter(image -> image.category().equals("hostile")
                && !image.hostile().path("at").asText().equals("check"));
    }

    private static Stream<CorpusImage> qcow2() {
        return Corpus.assumeCorpus().images().stream()
                .filter(image -> image.format().equals("qcow2"));
    }

    @ParameterizedTest
    @MethodSource("readable")
    void guestBytesMapSnapshotsAndBitmapsAreThoseOfTheReference(CorpusImage image) throws Exception {
        JsonNode expected = image.expected();

        try (DiskImage disk = open(image)) {
            assertThat(disk.size())
                    .isEqualTo(expected.path("info").path("virtual-size").asLong());
            if (expected.has("guest_sha256") && !isUnreadable(disk)) {
                assertThat(sha256(disk)).isEqualTo(expected.path("guest_sha256").asText());
            }
            JsonNode map = Corpus.assumeCorpus().map(image);
            if (map.isArray()) {
                assertThat(QemuMap.of(disk)).isEqualTo(QemuMap.of(map));
            }
            assertSnapshots(disk, expected.path("snapshots"));
            assertBitmaps(disk, expected.path("bitmaps"));
        }
    }

    @ParameterizedTest
    @MethodSource("hostile")
    void hostileImageHasTheOutcomeDemanded(CorpusImage image) throws Exception {
        JsonNode hostile = image.hostile();
        String outcome = hostile.path("outcome").asText();
        boolean tolerant = hostile.has("alternative");

        DiskImageException failure = useAll(image);

        switch (outcome) {
            case "error" -> assertThat(failure != null || tolerant).isTrue();
            case "refused-reference" -> {
                assertThat(failure).isNotNull();
                assertRefusedByDefault(image, tolerant);
            }
            case "warning" ->
                assertThat(failure != null || !warnings.isEmpty() || tolerant).isTrue();
            case "escape" -> assertThat(failure).isNull();
            default -> throw new AssertionError("unknown outcome " + outcome);
        }
        if (failure != null) {
            assertThat(failure).hasMessageMatching("\\P{Cntrl}+");
        }
        assertThat(warnings).allSatisfy(warning -> assertThat(warning.text()).matches("\\P{Cntrl}+"));
    }

    private static void assertRefusedByDefault(CorpusImage image, boolean tolerant) throws IOException {
        Path file = Corpus.assumeCorpus().unpack(image.file());
        try (DiskImage disk = DiskImages.open(file)) {
            assertThat(disk.problems()).isNotEmpty();
            assertThat(disk.problems().get(0) instanceof ReferenceRefusedException || tolerant)
                    .isTrue();
        } catch (DiskImageException e) {
            assertThat(tolerant).isTrue();
        }
    }

    /** Opens, reads and lists everything; returns the first thing that could not be done. */
    private @Nullable DiskImageException useAll(CorpusImage image) throws Exception {
        try (DiskImage disk = open(image)) {
            List<DiskImageException> failures = new ArrayList<>(disk.problems());
            attempt(failures, () -> readAll(disk));
            attempt(failures, () -> disk.extents(0, disk.size(), (at, length, facts, depth, below, offset) -> true));
            for (SnapshotInfo snapshot : disk.snapshots()) {
                attempt(failures, () -> {
                    try (BlockDevice device = disk.openSnapshot(snapshot.id())) {
                        assertThat(device.description()).matches("\\P{Cntrl}+");
                        readAll(device);
                    }
                });
            }
            disk.bitmaps()
                    .forEach(bitmap ->
                            attempt(failures, () -> disk.dirtyRanges(bitmap.name(), (offset, length) -> true)));
            return failures.isEmpty() ? null : failures.get(0);
        } catch (DiskImageException e) {
            return e;
        }
    }

    private interface Step {
        void run() throws IOException;
    }

    private static void attempt(List<DiskImageException> failures, Step step) {
        try {
            step.run();
        } catch (DiskImageException e) {
            failures.add(e);
        } catch (IOException e) {
            throw new AssertionError("neither success nor a DiskImageException", e);
        }
    }

    private DiskImage open(CorpusImage image) throws IOException {
        Path file = Corpus.assumeCorpus().unpack(image.file());
        return DiskImages.open(
                file,
                OpenOptions.builder()
                        .format("qcow2")
                        .references(ReferencePolicy.under(file.resolveSibling("")))
                        .probeBackingFormat(true)
                        .onWarning(warnings::add)
                        .build());
    }

    private static boolean isUnreadable(DiskImage disk) {
        return disk.info().formatSpecific().get("encrypt") instanceof Map<?, ?> encrypt
                && CANNOT_BE_READ.contains(String.valueOf(encrypt.get("format")));
    }

    private static void assertSnapshots(DiskImage disk, JsonNode expected) throws Exception {
        assertThat(disk.snapshots()).hasSize(expected.size());
        int i = 0;
        for (JsonNode snapshot : expected) {
            SnapshotInfo info = disk.snapshots().get(i++);
            assertThat(info.id()).isEqualTo(snapshot.path("id").asText());
            assertThat(info.name()).isEqualTo(snapshot.path("name").asText());
            if (snapshot.path("guest_sha256").isTextual()) {
                try (BlockDevice device = disk.openSnapshot(info.id())) {
                    assertThat(device.size())
                            .isEqualTo(snapshot.path("guest_size").asLong());
                    assertThat(sha256(device))
                            .isEqualTo(snapshot.path("guest_sha256").asText());
                }
            }
        }
    }

    private static void assertBitmaps(DiskImage disk, JsonNode expected) throws IOException {
        for (JsonNode bitmap : expected) {
            if (bitmap.path("dirty").isArray()) {
                List<List<Long>> theirs = new ArrayList<>();
                bitmap.path("dirty").forEach(range -> theirs.add(range(range)));
                List<List<Long>> ours = new ArrayList<>();
                disk.dirtyRanges(bitmap.path("name").asText(), (offset, length) -> ours.add(List.of(offset, length)));
                assertThat(ours).isEqualTo(theirs);
            }
        }
    }

    private static List<Long> range(JsonNode range) {
        return range.isArray()
                ? List.of(range.get(0).asLong(), range.get(1).asLong())
                : List.of(
                        range.path(range.has("start") ? "start" : "offset").asLong(),
                        range.path("length").asLong());
    }

    private static void readAll(BlockDevice device) throws IOException {
        // of disks that are far larger than any real one both ends are read
        long most = 64L << 20;
        ByteBuffer chunk = ByteBuffer.allocateDirect(1 << 20);
        for (long at = 0; at < device.size(); at += chunk.capacity()) {
            if (at == most && device.size() - at > most) {
                at = device.size() - most;
            }
            device.read(at, chunk.clear().limit((int) Math.min(chunk.capacity(), device.size() - at)));
        }
    }

    private static String sha256(BlockDevice device) throws IOException, NoSuchAlgorithmException {
        MessageDigest digest = MessageDigest.getInstance("SHA-256");
        try (InputStream in = new DigestInputStream(BlockDevices.asInputStream(device), digest)) {
            byte[] chunk = new byte[1 << 20];
            while (in.read(chunk) >= 0) {
                // the digest takes what is read
            }
        }
        return HexFormat.of().formatHex(digest.digest());
    }
}
