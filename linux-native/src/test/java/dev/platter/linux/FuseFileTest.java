package dev.platter.linux;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.platter.core.BlockDevice;
import dev.platter.core.BlockDevices;
import dev.platter.core.BlockIOException;
import dev.platter.core.Durability;
import dev.platter.core.ForwardingDevice;
import dev.platter.core.ZeroMode;
import dev.platter.testkit.ReferenceTools;
import dev.platter.testkit.TestBytes;
import dev.platter.testkit.ToolResult;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.time.Duration;
import java.util.List;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.CountDownLatch;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** A device as a file of the kernel. */
class FuseFileTest {
    private static final int SIZE = 3 << 20;

    @TempDir
    @SuppressWarnings("NullAway.Init") // by JUnit
    private Path folder;

    private final List<IOException> errors = new CopyOnWriteArrayList<>();

    @BeforeEach
    void assumeFuse() throws IOException {
        KernelDevices.assumeFuse();
    }

    @AfterEach
    void nothingIsLeft() throws IOException {
        KernelDevices.assertNothingLeft(folder);
    }

    private static BlockDevice memory() {
        ByteBuffer bytes = ByteBuffer.allocateDirect(SIZE);
        TestBytes.fill(0, bytes);
        return BlockDevices.ofBytes("memory", bytes.flip());
    }

    private FuseFile mount(BlockDevice device, boolean readOnly, @Nullable Duration limit) throws IOException {
        return FuseFile.mount(device, Files.createFile(path()), readOnly, 2, limit, errors::add);
    }

    private Path path() {
        return folder.resolve("disk");
    }

    private static ByteBuffer bytesOf(BlockDevice device) throws IOException {
        ByteBuffer all = ByteBuffer.allocate((int) device.size());
        device.read(0, all);
        return all.flip();
    }

    @Test
    void fileHasTheBytesOfTheDevice() throws IOException {
        try (FuseFile file = mount(memory(), true, null)) {
            assertThat(file.isServed()).isTrue();
            assertThat(Files.size(path())).isEqualTo(SIZE);
            assertThat(Files.readAllBytes(path())).isEqualTo(TestBytes.of(0, SIZE));
            try (FileChannel channel = FileChannel.open(path())) {
                ByteBuffer part = ByteBuffer.allocate(1000);
                channel.read(part, 777);
                assertThat(part.array()).isEqualTo(TestBytes.of(777, 1000));
                assertThat(channel.read(ByteBuffer.allocate(10), SIZE)).isEqualTo(-1);
                assertThat(channel.read(ByteBuffer.allocate(10), SIZE - 4)).isEqualTo(4);
            }
        }
        assertThat(errors).isEmpty();
        assertThat(Files.size(path())).isZero();
    }

    @Test
    void writesAndZerosReachTheDevice() throws IOException {
        BlockDevice device = memory();
        try (FuseFile file = mount(device, false, null);
                FileChannel channel = FileChannel.open(path(), StandardOpenOption.WRITE)) {
            channel.write(ByteBuffer.wrap(TestBytes.of(1 << 20, SIZE / 2)), 5);
            channel.force(false);
            assertThat(file.isServed()).isTrue();
        } catch (BlockIOException e) {
            throw new AssertionError("the file was closed first", e);
        }
        ByteBuffer now = bytesOf(device);
        assertThat(now.slice(5, SIZE / 2)).isEqualTo(ByteBuffer.wrap(TestBytes.of(1 << 20, SIZE / 2)));
        assertThat(now.slice(0, 5)).isEqualTo(ByteBuffer.wrap(TestBytes.of(0, 5)));
        assertThat(errors).isEmpty();
    }

    @Test
    void punchedHoleReadsZerosAndIsNoDiscard() throws IOException {
        BlockDevice device = new ForwardingDevice(memory()) {
            @Override
            public void discard(long offset, long length) {
                throw new AssertionError("nobody promised zeros");
            }
        };
        try (FuseFile file = mount(device, false, null)) {
            assertThat(file.isServed()).isTrue();
            ReferenceTools.runOk("fallocate", "--punch-hole", "-o", "4096", "-l", "8192", path().toString());
            ReferenceTools.runOk("fallocate", "--zero-range", "-o", "65536", "-l", "512", path().toString());
        }
        ByteBuffer now = bytesOf(device);
        assertThat(now.slice(4096, 8192)).isEqualTo(ByteBuffer.allocate(8192));
        assertThat(now.slice(65536, 512)).isEqualTo(ByteBuffer.allocate(512));
        assertThat(now.get(4095)).isEqualTo(TestBytes.at(4095));
        assertThat(now.get(4096 + 8192)).isEqualTo(TestBytes.at(4096 + 8192));
    }

    @Test
    void fileOfADeviceThatIsReadOnlyRefusesWrites() throws IOException {
        try (FuseFile file = mount(BlockDevices.readOnly(memory()), true, null)) {
            assertThat(file.isServed()).isTrue();
            assertThatThrownBy(() ->
                            FileChannel.open(path(), StandardOpenOption.WRITE).close())
                    .hasMessageContaining("Read-only file system");
        }
    }

    @Test
    void errorsOfTheDeviceGetTheirNumbers() throws IOException {
        BlockDevice device = new ForwardingDevice(memory()) {
            @Override
            public void read(long offset, ByteBuffer into) throws IOException {
                if (offset == 0) {
                    throw new IOException("bad sector");
                }
                if (offset == 4096) {
                    throw new IllegalStateException("mistake");
                }
                super.read(offset, into);
            }

            @Override
            public void write(long offset, ByteBuffer from, Durability durability) throws IOException {
                throw new BlockIOException(BlockIOException.Kind.NO_SPACE, "full", null);
            }

            @Override
            public void writeZeroes(long offset, long length, ZeroMode mode, Durability durability) throws IOException {
                throw new dev.platter.core.ReadOnlyDeviceException("frozen");
            }
        };
        try (FuseFile file = mount(device, false, null)) {
            assertThat(file.isServed()).isTrue();
            assertThat(dd("if=" + path(), "of=/dev/null", "bs=4096", "count=1").stderr())
                    .contains("Input/output error");
            assertThat(dd("if=" + path(), "of=/dev/null", "bs=4096", "count=1", "skip=1")
                            .stderr())
                    .contains("Input/output error");
            assertThat(dd("if=" + path(), "of=/dev/null", "bs=4096", "count=1", "skip=2")
                            .exit())
                    .isZero();
            assertThat(dd("if=/dev/zero", "of=" + path(), "bs=4096", "count=1", "conv=notrunc")
                            .stderr())
                    .contains("No space left on device");
            assertThat(ReferenceTools.run("fallocate", "--punch-hole", "-o", "0", "-l", "4096", path().toString())
                            .stderr())
                    .contains("Read-only file system");
        }
        assertThat(errors).hasSizeGreaterThanOrEqualTo(4);
        assertThat(errors).anyMatch(e -> String.valueOf(e.getMessage()).contains("bad sector"));
    }

    private static ToolResult dd(String... arguments) throws IOException {
        List<String> command = new java.util.ArrayList<>(List.of("dd"));
        command.addAll(List.of(arguments));
        return ReferenceTools.run(command);
    }

    @Test
    void interruptedReaderLeavesTheFileUsable() throws Exception {
        CountDownLatch reading = new CountDownLatch(1);
        CountDownLatch release = new CountDownLatch(1);
        BlockDevice device = new ForwardingDevice(memory()) {
            @Override
            public void read(long offset, ByteBuffer into) throws IOException {
                if (offset == 0) {
                    reading.countDown();
                    try {
                        release.await();
                    } catch (InterruptedException e) {
                        throw new IOException(e);
                    }
                }
                super.read(offset, into);
            }
        };
        try (FuseFile file = mount(device, true, null)) {
            Process reader = ReferenceTools.builder(List.of("dd", "if=" + path(), "of=/dev/null", "bs=4096", "count=1"))
                    .start();
            reading.await();
            reader.destroy();
            release.countDown();
            reader.waitFor();
            assertThat(file.isServed()).isTrue();
            assertThat(dd("if=" + path(), "of=/dev/null", "bs=1M").exit()).isZero();
        }
    }

    @Test
    void fileThatIsOpenStaysAndSaysWho() throws IOException {
        FuseFile file = mount(memory(), true, null);
        try (Descriptor open = Descriptor.open(path(), LibC.O_RDONLY)) {
            assertThat(open.number()).isNotNegative();
            assertThatThrownBy(file::close)
                    .isInstanceOfSatisfying(
                            BlockIOException.class, e -> assertThat(e.kind()).isEqualTo(BlockIOException.Kind.BUSY))
                    .hasMessageContaining("(process " + ProcessHandle.current().pid() + ")");
            assertThat(file.isServed()).isTrue();
        }
        file.close();
        assertThat(file.isServed()).isFalse();
    }

    @Test
    void deviceThatHangsFailsAfterTheLimit() throws Exception {
        CountDownLatch release = new CountDownLatch(1);
        BlockDevice device = new ForwardingDevice(memory()) {
            @Override
            public void read(long offset, ByteBuffer into) throws IOException {
                try {
                    release.await();
                } catch (InterruptedException e) {
                    throw new IOException(e);
                }
            }
        };
        FuseFile file = mount(device, true, Duration.ofSeconds(1));
        try {
            ToolResult read = dd("if=" + path(), "of=/dev/null", "bs=4096", "count=1");

            assertThat(read.exit()).isNotZero();
        } finally {
            release.countDown();
            file.close();
        }
        assertThat(errors).isEmpty();
    }

    @Test
    void loopDeviceOverItIsTheDevice() throws IOException {
        BlockDevice device = memory();
        try (FuseFile file = mount(device, false, null)) {
            assertThat(file.isServed()).isTrue();
            try (LoopDevice loop =
                    LoopDevice.attach(path(), LoopOptions.ofWritable().withDirectIo(true))) {
                assertThat(Files.readAllBytes(loop.path())).isEqualTo(TestBytes.of(0, SIZE));
                ReferenceTools.runOk(
                        "blkdiscard",
                        "-o",
                        "1048576",
                        "-l",
                        "65536",
                        loop.path().toString());
                ReferenceTools.runOk("dd", "if=/dev/zero", "of=" + loop.path(), "bs=512", "count=1", "conv=fsync");
                assertThatThrownBy(file::close).hasMessageContaining("in use by " + loop.path());
            }
        }
        ByteBuffer now = bytesOf(device);
        assertThat(now.slice(1 << 20, 65536)).isEqualTo(ByteBuffer.allocate(65536));
        assertThat(now.slice(0, 512)).isEqualTo(ByteBuffer.allocate(512));
        assertThat(now.slice(512, 512)).isEqualTo(ByteBuffer.wrap(TestBytes.of(512, 512)));
    }
}
