package dev.platter.qcow2;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.JsonNode;
import dev.platter.core.DiskImage;
import dev.platter.core.DiskImages;
import dev.platter.core.Durability;
import dev.platter.core.OpenOptions;
import dev.platter.core.ReferencePolicy;
import dev.platter.core.ZeroMode;
import dev.platter.testkit.ReferenceTools;
import dev.platter.testkit.Seeds;
import dev.platter.testkit.TempFolders;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Random;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** The same operations by us and by qemu-io, on twin images: bytes, map and accounts are the same after each batch. */
final class WriteDifferentialTest {
    private static final int SEEDS = 300;
    private static final int BATCHES = 3;
    private static final int OPERATIONS = 8;
    private static final int SECTOR = QemuStart.SECTOR;

    @TempDir
    private Path folder;

    @BeforeEach
    void requireQemu() {
        QemuStart.assumeQemu();
    }

    @Test
    void imagesWrittenByUsAndByQemuAreTheSame() throws Exception {
        Seeds.run(getClass(), SEEDS, random -> {
            Path own = Files.createTempDirectory(folder, "seed");
            try {
                new Twins(own, random).run();
            } finally {
                TempFolders.delete(own);
            }
        });
    }

    /** Two images that begin alike. */
    private static final class Twins {
        private final Path folder;
        private final Random random;
        private final Path ours;
        private final Path theirs;
        private final List<String> history = new ArrayList<>();
        private long size;

        Twins(Path folder, Random random) {
            this.folder = folder;
            this.random = random;
            this.ours = folder.resolve("ours.qcow2");
            this.theirs = folder.resolve("theirs.qcow2");
        }

        void run() throws IOException {
            begin();
            Files.copy(theirs, ours);
            try {
                for (int i = 0; i < BATCHES; i++) {
                    batch();
                    compare();
                }
            } catch (IOException | RuntimeException | AssertionError e) {
                throw new AssertionError(e + "\n  after: " + String.join("; ", history), e);
            }
        }

        private void begin() throws IOException {
            QemuStart start = QemuStart.create(folder, String.valueOf(theirs.getFileName()), random, false);
            history.add(start.command());
            size = start.size();
            fill(start);
        }

        /** What only qemu can make: compressed clusters, snapshots. */
        private void fill(QemuStart start) throws IOException {
            int clusterSize = start.clusterSize();
            List<String> actions = new ArrayList<>();
            // where half a compressed cluster is zeroed, qemu writes the whole request as data, and we do not
            for (int i = start.extendedL2() ? 0 : random.nextInt(6); i > 0; i--) {
                long cluster = (long) random.nextInt((int) Math.max(1, size / clusterSize)) * clusterSize;
                if (cluster + clusterSize <= size) {
                    actions.add("write -c -P " + (1 + random.nextInt(250)) + " " + cluster + " " + clusterSize);
                }
            }
            qemuIo(actions);
            // with refcounts of one bit, or of two where compressed clusters share one, it fails, and qemu leaks a
            // cluster
            if (random.nextInt(3) == 0 && start.refcountBits() > 2) {
                ReferenceTools.runOk("qemu-img", "snapshot", "-c", "before", theirs.toString());
            }
        }

        private void batch() throws IOException {
            List<String> actions = new ArrayList<>();
            OpenOptions options = OpenOptions.builder()
                    .writable(true)
                    .references(ReferencePolicy.under(folder))
                    .build();
            try (DiskImage image = DiskImages.open(ours, options)) {
                for (int i = 0; i < OPERATIONS; i++) {
                    operation(image, actions);
                }
            }
            history.addAll(actions);
            qemuIo(actions);
        }

        private void operation(DiskImage image, List<String> actions) throws IOException {
            int sectors = (int) (size / SECTOR);
            int first = random.nextInt(sectors);
            int most = random.nextInt(3) == 0 ? 400 : 20;
            int count = 1 + random.nextInt(Math.min(most, sectors - first));
            long at = (long) first * SECTOR;
            long length = (long) count * SECTOR;
            String range = " " + at + " " + length;
            switch (random.nextInt(6)) {
                case 0 -> {
                    actions.add("write -z" + range);
                    image.writeZeroes(at, length, ZeroMode.KEEP_ALLOCATION, Durability.NONE);
                }
                case 1 -> {
                    actions.add("write -z -u" + range);
                    image.writeZeroes(at, length, ZeroMode.MAY_UNMAP, Durability.NONE);
                }
                case 2 -> {
                    actions.add("discard" + range);
                    image.discard(at, length);
                }
                case 3 -> {
                    actions.add("flush");
                    image.flush();
                }
                default -> {
                    int pattern = 1 + random.nextInt(250);
                    actions.add("write -P " + pattern + range);
                    byte[] bytes = new byte[(int) length];
                    Arrays.fill(bytes, (byte) pattern);
                    image.write(at, ByteBuffer.wrap(bytes), Durability.NONE);
                }
            }
        }

        private void qemuIo(List<String> actions) throws IOException {
            if (actions.isEmpty()) {
                return;
            }
            List<String> command = new ArrayList<>(List.of("qemu-io", "-f", "qcow2", "-d", "unmap"));
            for (String action : actions) {
                command.add("-c");
                command.add(action);
            }
            command.add(theirs.toString());
            ReferenceTools.run(folder, command, 60);
        }

        private void compare() throws IOException {
            ReferenceTools.run(
                            folder,
                            List.of("qemu-img", "compare", "-f", "qcow2", "-F", "qcow2", "ours.qcow2", "theirs.qcow2"),
                            60)
                    .assertSuccess();
            assertThat(ReferenceTools.run("qemu-img", "check", "-f", "qcow2", ours.toString()))
                    .satisfies(check -> assertThat(check.exit())
                            .as(check + "\n" + check.stdout() + check.stderr())
                            .isZero());
            assertThat(map(ours)).isEqualTo(map(theirs));
        }

        /** Where the bytes lie in the file is ours to choose, and where it has holes. */
        private List<QemuMap.Line> map(Path file) throws IOException {
            JsonNode map = ReferenceTools.runIn(
                            folder, "qemu-img", "map", "--output=json", "-f", "qcow2", file.toString())
                    .assertSuccess()
                    .json();
            List<QemuMap.Line> lines = new ArrayList<>();
            for (QemuMap.Line line : QemuMap.of(map)) {
                QemuMap.Line plain = new QemuMap.Line(
                        line.start(),
                        line.length(),
                        line.depth(),
                        line.present(),
                        line.zero() && !line.data(),
                        line.data(),
                        -1);
                int last = lines.size() - 1;
                if (last >= 0 && lines.get(last).joins(plain)) {
                    QemuMap.Line before = lines.get(last);
                    plain = new QemuMap.Line(
                            before.start(),
                            before.length() + plain.length(),
                            before.depth(),
                            before.present(),
                            before.zero(),
                            before.data(),
                            -1);
                    lines.remove(last);
                }
                lines.add(plain);
            }
            return lines;
        }
    }
}
