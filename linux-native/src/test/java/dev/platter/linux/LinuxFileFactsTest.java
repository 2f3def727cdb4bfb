package dev.platter.linux;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.platter.core.BlockDevice;
import dev.platter.core.BlockIOException;
import dev.platter.core.DiskImage;
import dev.platter.core.DiskImages;
import dev.platter.core.Durability;
import dev.platter.core.Extent;
import dev.platter.core.Extents;
import dev.platter.core.OpenOptions;
import dev.platter.core.Storage;
import dev.platter.core.Storages;
import dev.platter.core.ZeroMode;
import dev.platter.testkit.ReferenceTools;
import dev.platter.testkit.TempImages;
import dev.platter.testkit.TestBytes;
import dev.platter.testkit.ToolResult;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;
import org.opentest4j.TestAbortedException;

/** Files as core sees them when this module is on the path. */
class LinuxFileFactsTest {
    private static final int SIZE = 1 << 20;

    @TempDir
    @SuppressWarnings("NullAway.Init") // by JUnit
    private Path folder;

    @BeforeEach
    void assumeLinux() {
        if (!new LinuxFileFacts().isSupported()) {
            throw new TestAbortedException(String.valueOf(LinuxSystem.missing()));
        }
    }

    private Path file() throws IOException {
        return TempImages.raw(folder, "disk.raw", TestBytes.of(0, SIZE));
    }

    private static DiskImage open(Path file, boolean writable) throws IOException {
        return DiskImages.open(
                file, OpenOptions.builder().format("raw").writable(writable).build());
    }

    private static ByteBuffer bytesOf(BlockDevice device) throws IOException {
        ByteBuffer all = ByteBuffer.allocate((int) device.size());
        device.read(0, all);
        return all.flip();
    }

    @Test
    void holesOfARawFileAreFound() throws IOException {
        Path file = TempImages.sparse(folder, "disk.raw", SIZE - 1);
        try (FileChannel channel = FileChannel.open(file, java.nio.file.StandardOpenOption.WRITE)) {
            channel.write(ByteBuffer.wrap(TestBytes.of(0, 65536)), 131072);
            channel.truncate(SIZE - 1);
        }
        List<String> found = new ArrayList<>();
        try (DiskImage image = open(file, false)) {
            Extents.forEach(image, 0, image.size(), extent -> {
                found.add(extent.offset() + " " + extent.length() + (extent.readsAsZero() ? " zero" : " data"));
                return true;
            });
            assertThat(image.info().actualSize()).isBetween(65536L, 262144L);
        }
        assertThat(found)
                .startsWith("0 131072 zero", "131072 65536 data", "196608 " + (SIZE - 196608 - 4096) + " zero");
    }

    @Test
    void trailingHoleAndEmptyFileHaveNoData() throws IOException {
        Path hole = folder.resolve("hole");
        try (java.io.RandomAccessFile out = new java.io.RandomAccessFile(hole.toFile(), "rw")) {
            out.setLength(SIZE);
        }
        try (DiskImage image = open(hole, false)) {
            Extent all = Extents.at(image, 0);
            assertThat(all.readsAsZero()).isTrue();
            assertThat(all.length()).isEqualTo(SIZE);
            assertThat(image.info().actualSize()).isZero();
        }
        try (LinuxHoles none = LinuxHoles.open(Files.createFile(folder.resolve("empty")))) {
            assertThat(none.nextData(0)).isZero();
            assertThat(none.nextHole(0)).isZero();
        }
    }

    @ParameterizedTest
    @EnumSource(ZeroMode.class)
    void zerosAreMadeWithoutWritingThem(ZeroMode mode) throws IOException {
        Path file = file();
        try (DiskImage image = open(file, true)) {
            assertThat(image.features().fastZero()).isTrue();
            assertThat(image.features().trim()).isTrue();
            image.writeZeroes(65536, 131072, mode, Durability.FUA);
            image.writeZeroes(7, 100, mode, Durability.NONE);
            ByteBuffer now = bytesOf(image);
            assertThat(now.slice(65536, 131072)).isEqualTo(ByteBuffer.allocate(131072));
            assertThat(now.slice(7, 100)).isEqualTo(ByteBuffer.allocate(100));
            assertThat(now.get(6)).isEqualTo(TestBytes.at(6));
            assertThat(now.get(107)).isEqualTo(TestBytes.at(107));
            assertThat(now.get(65536 + 131072)).isEqualTo(TestBytes.at(65536 + 131072));
        }
        long allocated = new LinuxFileFacts().allocatedSize(file).orElseThrow();
        if (mode.mayUnmap()) {
            assertThat(allocated).isLessThanOrEqualTo(SIZE - 131072);
        } else {
            assertThat(allocated).isGreaterThanOrEqualTo(SIZE);
        }
    }

    @Test
    void discardFreesSpace() throws IOException {
        Path file = file();
        try (DiskImage image = open(file, true)) {
            image.discard(0, SIZE);
            image.flush();
        }
        assertThat(new LinuxFileFacts().allocatedSize(file).orElseThrow()).isLessThan(SIZE / 4);
        assertThat(Files.size(file)).isEqualTo(SIZE);
    }

    @Test
    void blockDeviceIsZeroedAndDiscardedAndHasAGeometry() throws IOException {
        KernelDevices.assumeLoop();
        Path file = file();
        try (LoopDevice loop = LoopDevice.attach(file, LoopOptions.ofWritable().withBlockSize(4096))) {
            try (DiskImage image = open(loop.path(), true)) {
                assertThat(image.features().logicalSectorSize()).isEqualTo(4096);
                assertThat(image.size()).isEqualTo(SIZE);
                image.writeZeroes(4096, 8192, ZeroMode.KEEP_ALLOCATION, Durability.NONE);
                image.writeZeroes(65536, 65536, ZeroMode.MAY_UNMAP, Durability.NONE);
                image.writeZeroes(262144 + 5, 100, ZeroMode.MAY_UNMAP, Durability.NONE);
                image.discard(524288 + 5, 65536);
                image.flush();
                ByteBuffer now = bytesOf(image);
                assertThat(now.slice(4096, 8192)).isEqualTo(ByteBuffer.allocate(8192));
                assertThat(now.slice(65536, 65536)).isEqualTo(ByteBuffer.allocate(65536));
                assertThat(now.slice(262144 + 5, 100)).isEqualTo(ByteBuffer.allocate(100));
                assertThat(now.get(262144 + 4)).isEqualTo(TestBytes.at(262144 + 4));
                assertThat(now.get(524288 + 4)).isEqualTo(TestBytes.at(524288 + 4));
                assertThat(Extents.at(image, 0).length()).isEqualTo(SIZE);
            }
        }
    }

    @Test
    void secondWriterIsKeptOutWhateverElseIsClosed() throws IOException {
        Path file = file();
        try (Storage first = Storages.open(file, true)) {
            Storages.open(file, false).close();
            FileChannel.open(file).close();

            assertThatThrownBy(() -> Storages.open(file, true))
                    .isInstanceOfSatisfying(
                            BlockIOException.class, e -> assertThat(e.kind()).isEqualTo(BlockIOException.Kind.BUSY))
                    .hasMessageContaining("this process");
            ReferenceTools.assumeTool("qemu-io");
            ToolResult qemu = ReferenceTools.run("qemu-io", "-f", "raw", "-c", "write 0 512", file.toString());
            assertThat(qemu.exit()).isNotZero();
            assertThat(qemu.stderr()).contains("Failed to get \"write\" lock");
            assertThat(first.isReadOnly()).isFalse();
        }
        Storages.open(file, true).close();
    }

    /** Each has a descriptor of its own, as two processes have. */
    @Test
    void ofTwoWritersAtOnceOneGetsTheLocks() throws IOException {
        Path file = file();
        for (int i = 0; i < 200; i++) {
            Races.Outcome<LinuxChanges> outcome =
                    Races.of(() -> LinuxChanges.open(file), () -> LinuxChanges.open(file));
            outcome.results().forEach(LinuxChanges::close);

            assertThat(outcome.failures())
                    .singleElement()
                    .satisfies(e -> assertThat(e).hasMessageContaining("holds a lock on it"));
        }
    }

    @Test
    void qemuThatWritesKeepsUsOutAndIsNamed() throws Exception {
        ReferenceTools.assumeTool("qemu-io");
        Path file = file();
        Process qemu = new ProcessBuilder(ReferenceTools.locate("qemu-io").toString(), "-f", "raw", file.toString())
                .redirectError(ProcessBuilder.Redirect.DISCARD)
                .start();
        try {
            qemu.getOutputStream().write("write 0 512\n".getBytes(java.nio.charset.StandardCharsets.UTF_8));
            qemu.getOutputStream().flush();
            String line = qemu.inputReader().readLine();
            assertThat(line).contains("wrote 512");

            assertThatThrownBy(() -> Storages.open(file, true))
                    .isInstanceOfSatisfying(
                            BlockIOException.class, e -> assertThat(e.kind()).isEqualTo(BlockIOException.Kind.BUSY))
                    .hasMessageContaining("qemu-io (process " + qemu.pid() + ") holds a lock on it");
            Storages.open(file, false).close();
        } finally {
            ReferenceTools.end(qemu);
        }
        Storages.open(file, true).close();
    }

    @Test
    void ownWriterIsNoReasonForAWarning() throws IOException {
        Path file = file();
        List<Object> warnings = new ArrayList<>();
        OpenOptions warned =
                OpenOptions.builder().format("raw").onWarning(warnings::add).build();
        Path other = Files.copy(file, file.resolveSibling("other.raw"));
        try (DiskImage writer = open(file, true);
                DiskImage reader = DiskImages.open(file, warned);
                // this one asks the kernel, and what it says is kept for a while
                DiskImage unwritten = DiskImages.open(other, warned)) {
            assertThat(reader.size()).isEqualTo(writer.size()).isEqualTo(unwritten.size());
        }
        DiskImages.open(file, warned).close();
        assertThat(warnings).isEmpty();
    }

    @Test
    void interruptedWriterKeepsItsLocks() throws IOException {
        Path file = file();
        try (Storage storage = Storages.open(file, true)) {
            Thread.currentThread().interrupt();
            assertThatThrownBy(() -> storage.write(0, ByteBuffer.allocate(512)))
                    .isInstanceOf(java.nio.channels.ClosedByInterruptException.class);
            assertThat(Thread.interrupted()).isTrue();
            storage.write(0, ByteBuffer.allocate(512));
            assertThatThrownBy(() -> Storages.open(file, true)).hasMessageContaining("holds a lock");
        }
    }
}
