package dev.platter.linux;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.platter.core.BlockIOException;
import dev.platter.testkit.ReferenceTools;
import dev.platter.testkit.TempImages;
import dev.platter.testkit.TestBytes;
import java.io.IOException;
import java.io.InputStream;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Set;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class LoopDeviceTest {
    private static final int SIZE = 4 << 20;

    @TempDir
    @SuppressWarnings("NullAway.Init") // by JUnit
    private Path folder;

    @BeforeEach
    void assumeDevices() throws IOException {
        KernelDevices.assumeLoop();
    }

    @AfterEach
    void nothingIsLeft() throws IOException {
        KernelDevices.assertNothingLeft(folder);
    }

    private Path file() throws IOException {
        return TempImages.raw(folder, "disk.raw", TestBytes.of(0, SIZE));
    }

    private static byte[] read(Path device, int offset, int length) throws IOException {
        try (InputStream in = Files.newInputStream(device)) {
            in.skipNBytes(offset);
            return in.readNBytes(length);
        }
    }

    @Test
    void wholeFileIsTheDevice() throws IOException {
        Path file = file();
        try (LoopDevice loop = LoopDevice.attach(file, LoopOptions.ofReadOnly())) {
            LoopStatus status = KernelDevices.statusOf(loop.path());

            assertThat(read(loop.path(), 0, SIZE)).isEqualTo(TestBytes.of(0, SIZE));
            assertThat(status.readOnly()).isTrue();
            assertThat(status.size()).isEqualTo(SIZE);
            assertThat(LoopDevice.find(file)).containsExactly(status);
            assertThat(LoopDevice.list()).contains(status);
        }
        assertThat(LoopDevice.find(file)).isEmpty();
    }

    @Test
    void rangeAndOptionsReachTheKernel() throws IOException {
        LoopOptions options = LoopOptions.ofWritable()
                .withRange(8192, 1 << 20)
                .withBlockSize(4096)
                .withPartitionScan(true)
                .withDirectIo(true)
                .withAutoclear(true);
        try (LoopDevice loop = LoopDevice.attach(file(), options)) {
            LoopStatus status = KernelDevices.statusOf(loop.path());

            assertThat(status.offset()).isEqualTo(8192);
            assertThat(status.sizeLimit()).isEqualTo(1 << 20);
            assertThat(status.size()).isEqualTo(1 << 20);
            assertThat(status.readOnly()).isFalse();
            assertThat(status.partitionScan()).isTrue();
            assertThat(status.autoclear()).isTrue();
            assertThat(SysBlock.number(SysBlock.of(loop.path()).resolve("queue/logical_block_size"), 0))
                    .isEqualTo(4096);
            assertThat(read(loop.path(), 4096, 512)).isEqualTo(TestBytes.of(8192 + 4096, 512));
        }
    }

    @Test
    void writesReachTheFile() throws IOException {
        Path file = file();
        try (LoopDevice loop = LoopDevice.attach(file, LoopOptions.ofWritable());
                FileChannel channel = FileChannel.open(loop.path(), StandardOpenOption.WRITE)) {
            channel.write(ByteBuffer.wrap("written".getBytes(StandardCharsets.UTF_8)), 4096);
        }
        assertThat(new String(Files.readAllBytes(file), 4096, 7, StandardCharsets.UTF_8))
                .isEqualTo("written");
    }

    @Test
    void ofTwoWhoBindAFileToWriteAtOnceOneGetsADevice() throws IOException {
        Path file = file();
        for (int i = 0; i < 30; i++) {
            Races.Outcome<LoopDevice> outcome = Races.of(
                    () -> LoopDevice.attach(file, LoopOptions.ofWritable()),
                    () -> LoopDevice.attach(file, LoopOptions.ofWritable()));
            int bound = LoopDevice.find(file).size();
            for (LoopDevice loop : outcome.results()) {
                loop.close();
            }
            assertThat(bound).isEqualTo(1);
            assertThat(outcome.failures())
                    .singleElement()
                    .satisfies(e -> assertThat(e).hasMessageContaining("already, for writing"));
        }
    }

    @Test
    void oldKernelsWayGivesTheSame() throws IOException {
        Path file = file();
        LoopOptions options = LoopOptions.ofWritable()
                .withRange(4096, 8192)
                .withBlockSize(1024)
                .withPartitionScan(true)
                .withDirectIo(true);
        Path path = attachInSteps(file, options);
        try {
            LoopStatus status = KernelDevices.statusOf(path);
            assertThat(status.offset()).isEqualTo(4096);
            assertThat(status.size()).isEqualTo(8192);
            assertThat(status.partitionScan()).isTrue();
            assertThat(read(path, 0, 512)).isEqualTo(TestBytes.of(4096, 512));
        } finally {
            LoopDevice.detach(path);
        }
    }

    private static Path attachInSteps(Path file, LoopOptions options) throws IOException {
        try (Descriptor control = Descriptor.open(Path.of("/dev/loop-control"), LibC.O_RDWR);
                Descriptor backing = Descriptor.open(file, LibC.O_RDWR)) {
            while (true) {
                Path path =
                        Path.of("/dev/loop" + control.ioctl("LOOP_CTL_GET_FREE", LoopIoctls.LOOP_CTL_GET_FREE, null));
                try (Descriptor device = Descriptor.open(path, LibC.O_RDWR)) {
                    byte[] name = file.toString().getBytes(StandardCharsets.UTF_8);
                    LoopDevice.configureInSteps(device, backing, options, name);
                    return path;
                } catch (SystemCallException e) {
                    assertThat(e.errno()).isEqualTo(Errno.EBUSY);
                }
            }
        }
    }

    @Test
    void whatIsNoWholeSectorIsRefused() throws IOException {
        Path odd = TempImages.raw(folder, "odd.raw", TestBytes.of(0, 5000));
        Path file = file();

        assertThatThrownBy(() -> LoopDevice.attach(odd, LoopOptions.ofReadOnly()))
                .isInstanceOf(BlockIOException.class)
                .hasMessageContaining("odd.raw: the size, 5000 bytes, is no multiple of 512");
        assertThatThrownBy(
                        () -> LoopDevice.attach(file, LoopOptions.ofReadOnly().withRange(100, 512)))
                .hasMessageContaining("disk.raw: the offset, 100 bytes, is no multiple of 512");
        assertThatThrownBy(
                        () -> LoopDevice.attach(file, LoopOptions.ofReadOnly().withRange(0, 1000)))
                .hasMessageContaining("disk.raw: the length, 1000 bytes, is no multiple of 512");
        assertThatThrownBy(
                        () -> LoopDevice.attach(file, LoopOptions.ofReadOnly().withRange(SIZE, 0)))
                .hasMessageContaining("the offset 4194304 lies at or beyond the end, at 4194304");
        assertThatThrownBy(
                        () -> LoopDevice.attach(file, LoopOptions.ofReadOnly().withRange(512, SIZE)))
                .hasMessageContaining("leads beyond the end");
        assertThatThrownBy(() -> LoopDevice.attach(folder, LoopOptions.ofReadOnly()))
                .hasMessageContaining("is neither a file nor a block device");
    }

    @Test
    void secondDeviceOverBytesThatAreWrittenIsRefused() throws IOException {
        Path file = file();
        Path link = Files.createLink(folder.resolve("other-name"), file);
        try (LoopDevice first = LoopDevice.attach(file, LoopOptions.ofWritable().withRange(0, 1 << 20))) {
            assertThatThrownBy(() -> LoopDevice.attach(link, LoopOptions.ofReadOnly()))
                    .isInstanceOfSatisfying(
                            BlockIOException.class, e -> assertThat(e.kind()).isEqualTo(BlockIOException.Kind.BUSY))
                    .hasMessageContaining("is bound to " + first.path() + " already, for writing");
            LoopDevice.attach(file, LoopOptions.ofWritable().withRange(1 << 20, 0))
                    .close();
        }
    }

    @Test
    void fileIsKnownAgainThoughItsNameIsGone() throws IOException {
        Path file = file();
        Path link = Files.createLink(folder.resolve("other-name"), file);
        try (LoopDevice first = LoopDevice.attach(file, LoopOptions.ofWritable())) {
            Files.delete(file);
            assertThat(KernelDevices.statusOf(first.path()).backingFile()).endsWith("(deleted)");
            assertThat(LoopDevice.find(link)).hasSize(1);
        }
    }

    @Test
    void manyThatAttachAtOnceGetDevicesOfTheirOwn() throws Exception {
        ExecutorService threads = Executors.newFixedThreadPool(8);
        List<Future<LoopDevice>> attached = new ArrayList<>();
        try {
            for (int i = 0; i < 16; i++) {
                Path file = TempImages.raw(folder, "disk" + i, TestBytes.of(4096L * i, 4096));
                attached.add(threads.submit(() -> LoopDevice.attach(file, LoopOptions.ofReadOnly())));
            }
            Set<Path> devices = new HashSet<>();
            for (int i = 0; i < attached.size(); i++) {
                Path device = attached.get(i).get().path();
                devices.add(device);
                assertThat(read(device, 0, 4096)).isEqualTo(TestBytes.of(4096L * i, 4096));
            }
            assertThat(devices).hasSize(16);
        } finally {
            threads.shutdown();
            for (Future<LoopDevice> each : attached) {
                each.get().close();
            }
        }
    }

    @Test
    void mountedDeviceStaysAndSaysWhere() throws IOException {
        ReferenceTools.assumeTool("mkfs.ext4");
        Path file = TempImages.sparse(folder, "disk.raw", 16 << 20);
        ReferenceTools.runOk("mkfs.ext4", "-q", file.toString());
        Path point = Files.createDirectory(folder.resolve("a mount"));
        try (LoopDevice loop = LoopDevice.attach(file, LoopOptions.ofWritable())) {
            ReferenceTools.runOk("mount", loop.path().toString(), point.toString());
            try {
                LoopStatus before = KernelDevices.statusOf(loop.path());
                assertThatThrownBy(loop::close)
                        .isInstanceOfSatisfying(
                                BlockIOException.class,
                                e -> assertThat(e.kind()).isEqualTo(BlockIOException.Kind.BUSY))
                        .hasMessageContaining(loop.path() + ": is in use and stays: mounted on " + point);
                assertThatThrownBy(() -> LoopDevice.detach(loop.path())).hasMessageContaining("mounted on " + point);
                assertThat(loop.status()).isEqualTo(before);
            } finally {
                ReferenceTools.runOk("umount", point.toString());
            }
        }
    }

    @Test
    void deviceBelowAnotherOneStaysAndSaysSo() throws IOException {
        try (LoopDevice lower = LoopDevice.attach(file(), LoopOptions.ofReadOnly())) {
            try (LoopDevice upper =
                    LoopDevice.attach(lower.path(), LoopOptions.ofReadOnly().withRange(4096, 4096))) {
                assertThat(read(upper.path(), 0, 4096)).isEqualTo(TestBytes.of(4096, 4096));
                assertThatThrownBy(lower::close).hasMessageContaining("in use by " + upper.path());
            }
        }
    }

    @Test
    void autoclearEndsTheDeviceWithItsLastUser() throws IOException {
        Path file = file();
        LoopDevice loop = LoopDevice.attach(file, LoopOptions.ofReadOnly().withAutoclear(true));
        assertThat(LoopDevice.find(file)).hasSize(1);

        loop.leave();

        assertThat(Waiting.until(() -> LoopDevice.find(file).isEmpty(), 10_000)).isTrue();
    }

    @Test
    void partitionsThatAnEarlierFileLeftAreGone() throws IOException {
        Path file = file();
        Path number;
        try (LoopDevice loop = LoopDevice.attach(file, LoopOptions.ofReadOnly())) {
            number = loop.path();
            DevicePartitions.ensure(number, List.of(new DevicePartitions.Range(1, 4096, 8192)));
            // as a program does that knows nothing of partitions
            ReferenceTools.runOk("losetup", "--detach", number.toString());
            assertThat(SysBlock.partitions(number)).as("what the kernel leaves").hasSize(1);
        }
        List<LoopDevice> taken = new ArrayList<>();
        try {
            while (taken.isEmpty() || !taken.get(taken.size() - 1).path().equals(number)) {
                taken.add(LoopDevice.attach(file, LoopOptions.ofReadOnly()));
                assertThat(taken).hasSizeLessThan(100);
            }
            assertThat(SysBlock.partitions(number)).isEmpty();
        } finally {
            for (LoopDevice loop : taken) {
                loop.close();
            }
        }
    }

    @Test
    void absentFileIsSaidSo() {
        assertThatThrownBy(() -> LoopDevice.attach(folder.resolve("none"), LoopOptions.ofReadOnly()))
                .isInstanceOf(java.nio.file.NoSuchFileException.class);
    }
}
