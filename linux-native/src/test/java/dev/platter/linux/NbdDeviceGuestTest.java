package dev.platter.linux;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.platter.core.BlockDevice;
import dev.platter.core.BlockDevices;
import dev.platter.core.BlockIOException;
import dev.platter.core.BlockIOException.Kind;
import dev.platter.core.DiskImage;
import dev.platter.core.DiskImages;
import dev.platter.core.ForwardingDevice;
import dev.platter.core.OpenOptions;
import dev.platter.linux.NbdDeviceOptions.Interface;
import dev.platter.nbd.client.NbdUri;
import dev.platter.testkit.Contents;
import dev.platter.testkit.ReferenceTools;
import dev.platter.testkit.ServerProcess;
import dev.platter.testkit.TempImages;
import dev.platter.testkit.ToolResult;
import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStreamReader;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.concurrent.CountDownLatch;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.EnumSource.Mode;

/** Devices of a real kernel's nbd driver. */
@GuestTest
@Timeout(180)
class NbdDeviceGuestTest {
    @TempDir
    Path folder;

    @AfterEach
    void nothingIsLeft() throws IOException {
        assertThat(NbdDevice.list()).isEmpty();
        for (int index : NbdNodes.all()) {
            assertThat(SysBlock.partitions(NbdNodes.node(index))).isEmpty();
        }
    }

    private static DiskImage open(Path image, boolean writable) throws IOException {
        return DiskImages.open(
                image,
                OpenOptions.builder()
                        .writable(writable)
                        .format(image.toString().endsWith(".qcow2") ? "qcow2" : "raw")
                        .build());
    }

    private static NbdDeviceOptions by(Interface way) {
        return NbdDeviceOptions.builder().by(way).build();
    }

    private Path image(String format) throws IOException {
        Path raw = GuestDisk.partitioned(folder, "disk.raw");
        return format.equals("raw") ? raw : TempImages.qemuConvert(raw, "disk.qcow2", format);
    }

    @ParameterizedTest
    @CsvSource({"raw,NETLINK", "raw,IOCTL", "qcow2,NETLINK", "qcow2,IOCTL"})
    void aFileSystemInAPartitionIsMadeWrittenCheckedAndReadAgain(String format, Interface way) throws IOException {
        Path image = image(format);
        String text = GuestDisk.text(7, 3_000_000);

        try (DiskImage disk = open(image, true);
                NbdDevice device = NbdDevice.connect(disk, by(way))) {
            assertThat(device.partitions())
                    .containsExactly(Path.of(device.path() + "p1"), Path.of(device.path() + "p2"));
            Path partition = device.partitions().get(0);
            ReferenceTools.runOk("mkfs.ext4", "-q", partition.toString());
            GuestDisk.writeFile(partition, folder, "text", text);
        }

        if (format.equals("qcow2")) {
            ReferenceTools.runOk("qemu-img", "check", image.toString());
        }
        try (DiskImage disk = open(image, false);
                NbdDevice device = NbdDevice.connect(disk, by(way))) {
            Path partition = device.partitions().get(0);
            assertThat(device.isReadOnly()).isTrue();
            ReferenceTools.runOk("e2fsck", "-fn", partition.toString());
            assertThat(GuestDisk.readFile(partition, folder, "text")).isEqualTo(text);
        }
    }

    @Test
    void trimmedBlocksAreFreeInTheImage() throws IOException {
        Path image = image("qcow2");
        try (DiskImage disk = open(image, true);
                NbdDevice device = NbdDevice.connect(disk, NbdDeviceOptions.defaults())) {
            String p1 = device.partitions().get(0).toString();
            GuestDisk.dd("if=/dev/urandom", "of=" + p1, "bs=1M", "count=32", "conv=fsync")
                    .assertSuccess();
            ReferenceTools.runOk("blkdiscard", p1);
        }

        ReferenceTools.runOk("qemu-img", "check", image.toString());
        assertThat(ReferenceTools.runOk("qemu-img", "map", "--output=json", image.toString())
                        .json()
                        .findValues("data"))
                .filteredOn(data -> data.asBoolean())
                .hasSizeLessThan(4);
    }

    @ParameterizedTest
    @EnumSource(value = Interface.class, names = "AUTO", mode = Mode.EXCLUDE)
    void theDeviceThatIsAskedForIsUsedAndNotTwice(Interface way) throws IOException {
        NbdDeviceOptions third =
                NbdDeviceOptions.builder().device(Path.of("/dev/nbd3")).by(way).build();
        BlockDevice bytes = BlockDevices.ofBytes("bytes", ByteBuffer.allocate(1 << 20));
        try (NbdDevice device = NbdDevice.connect(bytes, third)) {
            assertThat(device.path()).isEqualTo(Path.of("/dev/nbd3"));
            assertThat(NbdDevice.list()).extracting(NbdDevice.Connected::path).containsExactly(Path.of("/dev/nbd3"));

            assertThatThrownBy(() -> NbdDevice.connect(bytes, third))
                    .isInstanceOfSatisfying(
                            BlockIOException.class, e -> assertThat(e.kind()).isEqualTo(Kind.BUSY))
                    .hasMessageContaining("/dev/nbd3: is connected already");
            assertThat(device.isConnected()).isTrue();
        }
    }

    @Test
    void severalConnectionsServeOneDevice() throws IOException {
        Path raw = TempImages.raw(folder, "disk.raw", Contents.testBytes(8 << 20));
        try (DiskImage disk = open(raw, false);
                NbdDevice device = NbdDevice.connect(
                        disk, NbdDeviceOptions.builder().connections(4).build())) {
            assertThat(sha256(device.path())).isEqualTo(sha256(raw));
        }
    }

    private static String sha256(Path file) throws IOException {
        return ReferenceTools.runOk("sha256sum", file.toString()).stdout().substring(0, 64);
    }

    @Test
    void aServerOfAnotherProgramIsBoundDirectly() throws IOException {
        Path raw = TempImages.raw(folder, "disk.raw", Contents.testBytes(4 << 20));
        try (ServerProcess server = ServerProcess.qemuNbd(folder, "-f", "raw", "-e", "2", raw.toString())) {
            NbdUri uri = NbdUri.parse(server.uri(""));
            try (NbdDevice device = NbdDevice.connect(uri, NbdDeviceOptions.defaults())) {
                assertThat(device.size()).isEqualTo(4 << 20);
                assertThat(sha256(device.path())).isEqualTo(sha256(raw));
                GuestDisk.dd("if=/dev/zero", "of=" + device.path(), "bs=64k", "seek=2", "count=1", "conv=fsync")
                        .assertSuccess();
            }
            try (NbdDevice device =
                    NbdDevice.connect(uri, NbdDeviceOptions.builder().readOnly().build())) {
                assertThat(device.isReadOnly()).isTrue();
                assertThat(sha256(device.path())).isEqualTo(sha256(raw));
            }
        }
        byte[] block = new byte[65_536];
        try (var file = Files.newByteChannel(raw)) {
            file.position(131_072).read(ByteBuffer.wrap(block));
        }
        assertThat(block).containsOnly(0);
    }

    @Test
    void aServerByTcpIsBoundDirectly() throws IOException {
        Path raw = TempImages.raw(folder, "disk.raw", Contents.testBytes(1 << 20));
        try (ServerProcess server = ServerProcess.qemuNbdTcp("-f", "raw", "-r", raw.toString());
                NbdDevice device = NbdDevice.connect(NbdUri.parse(server.uri("")), NbdDeviceOptions.defaults())) {
            assertThat(device.isReadOnly()).isTrue();
            assertThat(sha256(device.path())).isEqualTo(sha256(raw));
        }
    }

    @ParameterizedTest
    @EnumSource(value = Interface.class, names = "AUTO", mode = Mode.EXCLUDE)
    void aMountedDeviceStaysAndSaysWhereItIsMounted(Interface way) throws IOException {
        try (DiskImage disk = open(image("raw"), true);
                NbdDevice device = NbdDevice.connect(disk, by(way))) {
            Path partition = device.partitions().get(1);
            ReferenceTools.runOk("mkfs.ext4", "-q", partition.toString());
            Path point = GuestDisk.mount(partition, folder, "rw");
            try {
                assertThatThrownBy(device::close)
                        .isInstanceOfSatisfying(
                                BlockIOException.class,
                                e -> assertThat(e.kind()).isEqualTo(Kind.BUSY))
                        .hasMessageContaining(device.path() + ": is in use and stays: mounted on " + point);
                assertThatThrownBy(() -> NbdDevice.disconnect(device.path())).hasMessageContaining("" + point);
                assertThat(device.partitions()).hasSize(2);
                Files.writeString(point.resolve("still"), "there");
            } finally {
                GuestDisk.umount(point);
            }
        }
    }

    @ParameterizedTest
    @EnumSource(value = Interface.class, names = "AUTO", mode = Mode.EXCLUDE)
    void whoeverWaitsForTheEndIsTold(Interface way) throws Exception {
        BlockDevice bytes = BlockDevices.ofBytes("bytes", ByteBuffer.allocate(1 << 20));
        try (NbdDevice device = NbdDevice.connect(bytes, by(way))) {
            Thread waiting = new Thread(() -> {
                try {
                    device.awaitEnd();
                } catch (IOException | InterruptedException e) {
                    throw new IllegalStateException(e);
                }
            });
            waiting.start();

            NbdDevice.disconnect(device.path());

            waiting.join();
            assertThat(device.isConnected()).isFalse();
        }
    }

    @Test
    void qemusOwnCommandTakesADeviceAway() throws Exception {
        BlockDevice bytes = BlockDevices.ofBytes("bytes", ByteBuffer.allocate(1 << 20));
        try (NbdDevice device = NbdDevice.connect(bytes, NbdDeviceOptions.defaults())) {
            ReferenceTools.runOk("qemu-nbd", "-d", device.path().toString());

            device.awaitEnd();
        }
    }

    @Test
    void aDeviceThatIsNotConnectedIsNotDisconnected() {
        assertThatThrownBy(() -> NbdDevice.disconnect(Path.of("/dev/nbd5")))
                .hasMessageContaining("/dev/nbd5: is not connected");
    }

    /** Waits in every read until it may go on. */
    private static final class StuckDevice extends ForwardingDevice {
        private final CountDownLatch goOn = new CountDownLatch(1);
        private volatile boolean stuck;

        StuckDevice() {
            super(BlockDevices.ofBytes("stuck", ByteBuffer.allocate(1 << 20)));
        }

        @Override
        public void read(long offset, ByteBuffer into) throws IOException {
            if (stuck) {
                try {
                    goOn.await();
                } catch (InterruptedException e) {
                    Thread.currentThread().interrupt();
                    throw new IOException(e);
                }
            }
            super.read(offset, into);
        }
    }

    @ParameterizedTest
    @EnumSource(value = Interface.class, names = "AUTO", mode = Mode.EXCLUDE)
    void aServerThatDoesNotAnswerFailsTheReadAfterTheTimeout(Interface way) throws IOException {
        StuckDevice bytes = new StuckDevice();
        NbdDeviceOptions options = NbdDeviceOptions.builder()
                .by(way)
                .readOnly()
                .timeout(Duration.ofSeconds(2))
                .build();
        try (NbdDevice device = NbdDevice.connect(bytes, options)) {
            bytes.stuck = true;
            ToolResult read =
                    GuestDisk.dd("if=" + device.path(), "of=/dev/null", "bs=4k", "count=1", "skip=10", "iflag=direct");

            assertThat(read.exit()).isNotZero();
            assertThat(read.stderr()).contains("Input/output error");
            bytes.goOn.countDown();
        }
    }

    @ParameterizedTest
    @EnumSource(value = Interface.class, names = "AUTO", mode = Mode.EXCLUDE)
    void aServerThatWasKilledFailsWhatIsReadAndIsCleanedUpAfter(Interface way) throws Exception {
        Path raw = GuestDisk.partitioned(folder, "disk.raw");
        Process server = ServingProcess.start(raw, way);
        Process load = null;
        try {
            Path device = ServingProcess.device(server);
            load = ReferenceTools.builder(List.of(
                            "sh", "-c", "while " + readOf(device) + " 2>&1 | grep -q '1+0 records out'; do :; done"))
                    .start();
            assertThat(Waiting.until(() -> reads(device) > 40, 60_000)).isTrue();

            server.destroyForcibly().waitFor();

            assertThat(load.waitFor()).isNotNegative();
            assertThat(ReferenceTools.run("sh", "-c", readOf(device)).stderr()).doesNotContain("1+0 records out");
            takeAway(device);
        } finally {
            server.destroyForcibly().waitFor();
            if (load != null) {
                ReferenceTools.end(load);
            }
        }
    }

    private static String readOf(Path device) {
        return "dd if=" + device + " of=/dev/null bs=64k count=1 skip=2 iflag=direct";
    }

    /** Returns how many reads the kernel has done of a device: the first number of its statistics. */
    private static long reads(Path device) {
        String statistics = SysBlock.text(SysBlock.of(device).resolve("stat"));
        return statistics == null ? 0 : Long.parseLong(statistics.strip().split(" +", 2)[0]);
    }

    /** With ioctl, the kernel itself ends a device whose process is gone. */
    private static void takeAway(Path device) throws IOException {
        if (!SysBlock.partitions(device).isEmpty() || NbdNodes.isConnected(NbdNodes.index(device))) {
            try {
                NbdDevice.disconnect(device);
            } catch (BlockIOException e) {
                assertThat(e).hasMessageContaining("may not have reached the server");
            }
        }
    }

    @Test
    void requestsWaitForANewConnectionAfterTheServerDied() throws Exception {
        Path raw = TempImages.raw(folder, "disk.raw", Contents.testBytes(4 << 20));
        NbdDeviceOptions patient =
                NbdDeviceOptions.builder().reconnect(Duration.ofSeconds(60)).build();
        ServerProcess first = ServerProcess.qemuNbd(folder, "-f", "raw", raw.toString());
        ServerProcess second = first;
        NbdUri uri = NbdUri.parse(first.uri(""));
        try (NbdDevice device = NbdDevice.connect(uri, patient)) {
            first.kill();
            Files.deleteIfExists(folder.resolve("s"));
            Process reading = ReferenceTools.builder(
                            List.of("sha256sum", device.path().toString()))
                    .redirectOutput(folder.resolve("sum").toFile())
                    .start();
            second = ServerProcess.qemuNbd(folder, "-f", "raw", raw.toString());

            device.reconnect();

            assertThat(reading.waitFor()).isZero();
            assertThat(Files.readString(folder.resolve("sum"))).startsWith(sha256(raw));
        } finally {
            first.close();
            second.close();
        }
    }

    @ParameterizedTest
    @EnumSource(value = Interface.class, names = "AUTO", mode = Mode.EXCLUDE)
    void aHundredRoundsLeaveNothing(Interface way) throws IOException {
        Path raw = GuestDisk.partitioned(folder, "disk.raw");
        try (DiskImage disk = open(raw, true)) {
            round(disk, way);
            int descriptors = descriptors();
            int threads = threads();
            for (int i = 0; i < 100; i++) {
                round(disk, way);
            }
            assertThat(descriptors()).isLessThanOrEqualTo(descriptors + 2);
            assertThat(threads()).isLessThanOrEqualTo(threads + 4);
        }
    }

    private static void round(DiskImage disk, Interface way) throws IOException {
        try (NbdDevice device = NbdDevice.connect(disk, by(way))) {
            assertThat(device.partitions()).hasSize(2);
        }
    }

    private static int descriptors() throws IOException {
        try (Stream<Path> files = Files.list(Path.of("/proc/self/fd"))) {
            return (int) files.count();
        }
    }

    private static int threads() throws IOException {
        try (Stream<Path> tasks = Files.list(Path.of("/proc/self/task"))) {
            return (int) tasks.count();
        }
    }

    /** A process that serves an image on a device until it is killed. */
    static final class ServingProcess {
        private ServingProcess() {}

        static Process start(Path image, Interface way) throws IOException {
            String java =
                    Path.of(System.getProperty("java.home"), "bin", "java").toString();
            return new ProcessBuilder(
                            java,
                            "-XX:TieredStopAtLevel=1",
                            "-cp",
                            System.getProperty("java.class.path"),
                            ServingProcess.class.getName(),
                            image.toString(),
                            way.name())
                    .redirectError(ProcessBuilder.Redirect.INHERIT)
                    .start();
        }

        static Path device(Process process) throws IOException {
            BufferedReader said =
                    new BufferedReader(new InputStreamReader(process.getInputStream(), StandardCharsets.UTF_8));
            String line = said.readLine();
            if (line == null) {
                throw new IOException("the server ended");
            }
            return Path.of(line);
        }

        /** Serves the image of the first argument by the way of the second. */
        public static void main(String[] arguments) throws Exception {
            DiskImage disk = open(Path.of(arguments[0]), true);
            NbdDevice device = NbdDevice.connect(
                    disk,
                    NbdDeviceOptions.builder()
                            .by(Interface.valueOf(arguments[1]))
                            .timeout(Duration.ofSeconds(4))
                            .build());
            System.out.println(device.path());
            device.awaitEnd();
        }
    }
}
