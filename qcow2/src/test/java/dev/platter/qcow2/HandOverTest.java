package dev.platter.qcow2;

import static org.assertj.core.api.Assertions.assertThat;

import dev.platter.core.BlockIOException;
import dev.platter.core.DiskImages;
import dev.platter.core.Durability;
import dev.platter.core.OpenOptions;
import dev.platter.core.ReferencePolicy;
import dev.platter.core.SnapshotInfo;
import dev.platter.core.ZeroMode;
import dev.platter.testkit.ReferenceTools;
import dev.platter.testkit.Seeds;
import dev.platter.testkit.TempFolders;
import dev.platter.testkit.ToolResult;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.BitSet;
import java.util.List;
import java.util.Random;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** One image, written by qemu and by us in turn: each finds it whole and with the bytes that the other wrote. */
final class HandOverTest {
    private static final int ROUNDS = 30;
    private static final int TURNS = 4;
    private static final int OPERATIONS = 7;
    private static final int SECTOR = QemuStart.SECTOR;

    @TempDir
    private Path folder;

    @BeforeEach
    void requireQemu() {
        QemuStart.assumeQemu();
    }

    @Test
    void imageIsHandedBackAndForth() throws Exception {
        Seeds.run(getClass(), ROUNDS, random -> {
            Path own = Files.createTempDirectory(folder, "round");
            try {
                new Round(own, random).run();
            } finally {
                TempFolders.delete(own);
            }
        });
    }

    /** An image of one layout. */
    private static final class Round {
        private final Path folder;
        private final Random random;
        private final Path image;
        private final OpenOptions options;
        private final List<String> history = new ArrayList<>();
        private final BitSet undefined = new BitSet();
        private byte[] disk = new byte[0];
        private int clusterSize;
        private boolean snapshots;
        private boolean compresses;

        Round(Path folder, Random random) {
            this.folder = folder;
            this.random = random;
            this.image = folder.resolve("image.qcow2");
            this.options = OpenOptions.builder()
                    .format("qcow2")
                    .writable(true)
                    .references(ReferencePolicy.under(folder))
                    .build();
        }

        void run() throws IOException {
            QemuStart start = QemuStart.create(folder, String.valueOf(image.getFileName()), random, true);
            history.add(start.command());
            clusterSize = start.clusterSize();
            snapshots = !start.hasDataFile() && start.refcountBits() >= 8;
            compresses = snapshots;
            disk = theirBytes();
            try {
                for (int i = 0; i < TURNS; i++) {
                    theirTurn();
                    compare();
                    ourTurn();
                    compare();
                }
            } catch (IOException | RuntimeException | AssertionError e) {
                throw new AssertionError(e + "\n  after: " + String.join("; ", history), e);
            }
        }

        private void theirTurn() throws IOException {
            List<String> command = new ArrayList<>(List.of("qemu-io", "-f", "qcow2", "-d", "unmap"));
            if (random.nextInt(3) == 0) {
                theirSnapshot();
            }
            if (compresses) {
                // only where nothing is yet, says qemu
                compresses = false;
                for (int cluster = random.nextInt(3); (cluster + 1L) * clusterSize <= disk.length; cluster += 3) {
                    int pattern = put(cluster * (clusterSize / SECTOR), clusterSize / SECTOR, 1 + random.nextInt(250));
                    command.add("-c");
                    command.add("write -c -P " + pattern + " " + (long) cluster * clusterSize + " " + clusterSize);
                }
            }
            for (int i = 0; i < OPERATIONS; i++) {
                command.add("-c");
                command.add(theirOperation());
            }
            command.add(image.getFileName().toString());
            history.add("qemu-io: " + String.join(" ", command.subList(5, command.size() - 1)));
            ToolResult result = ReferenceTools.run(folder, command, 60);
            assertThat(result.exit())
                    .as(result + result.stdout() + result.stderr())
                    .isZero();
        }

        private String theirOperation() {
            int sectors = disk.length / SECTOR;
            int first = random.nextInt(sectors);
            int count = 1 + random.nextInt(Math.min(random.nextInt(3) == 0 ? 400 : 20, sectors - first));
            String range = " " + (long) first * SECTOR + " " + (long) count * SECTOR;
            switch (random.nextInt(6)) {
                case 0 -> {
                    put(first, count, 0);
                    return "write -z" + range;
                }
                case 1 -> {
                    put(first, count, 0);
                    return "write -z -u" + range;
                }
                case 2 -> {
                    undefined.set(first, first + count);
                    return "discard" + range;
                }
                default -> {
                    int pattern = put(first, count, 1 + random.nextInt(250));
                    return "write -P " + pattern + range;
                }
            }
        }

        private int put(int first, int count, int pattern) {
            Arrays.fill(disk, first * SECTOR, (first + count) * SECTOR, (byte) pattern);
            undefined.clear(first, first + count);
            return pattern;
        }

        private void theirSnapshot() throws IOException {
            if (!snapshots) {
                return;
            }
            String name = "t" + history.size();
            history.add("qemu-img snapshot " + name);
            ReferenceTools.runOk("qemu-img", "snapshot", "-c", name, image.toString());
        }

        private void ourTurn() throws IOException {
            try (Qcow2Disk opened = (Qcow2Disk) DiskImages.open(image, options)) {
                for (int i = 0; i < OPERATIONS; i++) {
                    ourOperation(opened);
                }
            }
        }

        private void ourOperation(Qcow2Disk opened) throws IOException {
            int sectors = disk.length / SECTOR;
            int first = random.nextInt(sectors);
            int count = 1 + random.nextInt(Math.min(random.nextInt(3) == 0 ? 400 : 20, sectors - first));
            long at = (long) first * SECTOR;
            long length = (long) count * SECTOR;
            String range = " " + at + " " + length;
            switch (random.nextInt(8)) {
                case 0 -> {
                    history.add("our zeroes" + range);
                    put(first, count, 0);
                    opened.writeZeroes(at, length, ZeroMode.KEEP_ALLOCATION, Durability.NONE);
                }
                case 1 -> {
                    history.add("our zeroes, unmapping" + range);
                    put(first, count, 0);
                    opened.writeZeroes(at, length, ZeroMode.MAY_UNMAP, Durability.NONE);
                }
                case 2 -> {
                    history.add("our discard" + range);
                    undefined.set(first, first + count);
                    opened.discard(at, length);
                }
                case 3 -> ourSnapshot(opened);
                default -> {
                    history.add("our write" + range);
                    int pattern = put(first, count, 1 + random.nextInt(250));
                    byte[] bytes = new byte[(int) length];
                    Arrays.fill(bytes, (byte) pattern);
                    opened.write(at, ByteBuffer.wrap(bytes), Durability.NONE);
                }
            }
        }

        private void ourSnapshot(Qcow2Disk opened) throws IOException {
            List<SnapshotInfo> present = opened.snapshots();
            if (!snapshots) {
                opened.flush();
            } else if (present.isEmpty() || random.nextInt(3) > 0) {
                history.add("our snapshot");
                try {
                    opened.createSnapshot("o" + history.size());
                } catch (BlockIOException e) {
                    assertThat(e.kind()).isEqualTo(BlockIOException.Kind.NOT_SUPPORTED);
                }
            } else {
                String id = present.get(random.nextInt(present.size())).id();
                history.add("our deletion of snapshot " + id);
                opened.deleteSnapshot(id);
            }
        }

        private void compare() throws IOException {
            ToolResult check = ReferenceTools.runIn(folder, "qemu-img", "check", "-f", "qcow2", "image.qcow2");
            assertThat(check.exit()).as(check + check.stdout() + check.stderr()).isZero();
            byte[] theirs = theirBytes();
            assertThat(ourBytes()).isEqualTo(theirs);
            for (int sector = undefined.nextSetBit(0); sector >= 0; sector = undefined.nextSetBit(sector + 1)) {
                System.arraycopy(theirs, sector * SECTOR, disk, sector * SECTOR, SECTOR);
            }
            undefined.clear();
            int differs = Arrays.mismatch(theirs, disk);
            assertThat(differs)
                    .as("first byte that differs from what was written")
                    .isNegative();
        }

        private byte[] ourBytes() throws IOException {
            OpenOptions reading = options.toBuilder().writable(false).build();
            try (Qcow2Disk opened = (Qcow2Disk) DiskImages.open(image, reading)) {
                byte[] bytes = new byte[(int) opened.size()];
                opened.read(0, ByteBuffer.wrap(bytes));
                return bytes;
            }
        }

        private byte[] theirBytes() throws IOException {
            Path raw = folder.resolve("raw");
            ReferenceTools.run(
                            folder,
                            List.of("qemu-img", "convert", "-f", "qcow2", "-O", "raw", "image.qcow2", "raw"),
                            60)
                    .assertSuccess();
            return Files.readAllBytes(raw);
        }
    }
}
