package dev.platter.inspect;

import static dev.platter.inspect.GuestBytes.uuid;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.platter.core.BlockDevice;
import dev.platter.core.DeviceCatalog;
import dev.platter.core.DiskImageException;
import dev.platter.core.OpenOptions;
import dev.platter.core.ReferencePolicy;
import dev.platter.lvm.PhysicalVolume;
import dev.platter.partition.Partition;
import dev.platter.testkit.Contents;
import dev.platter.testkit.RecordingDevice;
import dev.platter.testkit.ReferenceTools;
import dev.platter.testkit.RequestLog;
import dev.platter.testkit.TempImages;
import dev.platter.testkit.ToolResult;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.ClosedChannelException;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Objects;
import java.util.concurrent.Callable;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class ImageInspectorTest {
    private static final int SIZE = 512 << 10;

    @TempDir
    Path folder;

    private static GuestBytes guest() {
        return new GuestBytes(SIZE)
                .partition(1, 0x8e, 64, 160)
                .partition(2, 0x82, 256, 256)
                .swap(256 * 512, "swap")
                .physicalVolume(
                        64 * 512,
                        160 * 512,
                        uuid('a'),
                        GuestBytes.group("vg0", 'G', 'a', GuestBytes.volume("root", 'R', 0, 4)));
    }

    private Path raw(GuestBytes guest) throws IOException {
        return TempImages.raw(folder, "guest.raw", guest.array());
    }

    private static ByteBuffer bytes(BlockDevice device) throws IOException {
        ByteBuffer all = ByteBuffer.allocate((int) device.size());
        device.read(0, all);
        return all.flip();
    }

    @Test
    void devicesGiveTheBytesOfTheDisk() throws IOException {
        GuestBytes guest = guest();

        try (ImageInspector image = ImageInspector.open(raw(guest))) {
            for (String name : List.of("/dev/sda", "/dev/sda1", "/dev/sda2", "/dev/vg0/root")) {
                int at = name.equals("/dev/sda") ? 0 : name.equals("/dev/sda2") ? 256 * 512 : 64 * 512;
                int start = name.endsWith("root") ? at + GuestBytes.DATA_AT : at;
                try (BlockDevice device = image.device(name)) {
                    assertThat(bytes(device)).as(name).isEqualTo(guest.bytes.slice(start, (int) device.size()));
                }
            }
        }
    }

    @Test
    void devicesSayWhatTheyAreWhereTheyLieAndWhatIsInThem() throws IOException {
        GuestBytes disk = new GuestBytes(SIZE)
                .partition(1, 0x8e, 64, 160)
                .partition(2, 0x82, 256, 256)
                .partition(3, 0x05, 600, 100)
                .swap(256 * 512, "swap")
                .physicalVolume(
                        64 * 512,
                        160 * 512,
                        uuid('a'),
                        GuestBytes.group("vg0", 'G', 'a', GuestBytes.volume("root", 'R', 0, 4)));

        try (ImageInspector image = ImageInspector.open(raw(disk))) {
            assertThat(image.devices())
                    .contains(
                            new DeviceCatalog.Entry("/dev/sda", SIZE, DeviceCatalog.Kind.DISK, null, null),
                            new DeviceCatalog.Entry(
                                    "/dev/sda1",
                                    160 * 512,
                                    DeviceCatalog.Kind.PARTITION,
                                    new DeviceCatalog.Place("/dev/sda", 1, 64 * 512),
                                    "LVM2_member"),
                            new DeviceCatalog.Entry(
                                    "/dev/sda2",
                                    256 * 512,
                                    DeviceCatalog.Kind.PARTITION,
                                    new DeviceCatalog.Place("/dev/sda", 2, 256 * 512),
                                    "swap",
                                    "00010203-0405-0607-0000-000000000000",
                                    "swap"),
                            new DeviceCatalog.Entry(
                                    "/dev/sda3",
                                    100 * 512,
                                    DeviceCatalog.Kind.CONTAINER,
                                    new DeviceCatalog.Place("/dev/sda", 3, 600 * 512),
                                    null))
                    .anySatisfy(entry -> {
                        assertThat(entry.name()).isEqualTo("/dev/vg0/root");
                        assertThat(entry.kind()).isEqualTo(DeviceCatalog.Kind.VOLUME);
                        assertThat(entry.place()).isNull();
                    });
        }
    }

    @Test
    void closingADeviceLeavesTheOthersOpen() throws IOException {
        try (ImageInspector image = ImageInspector.open(raw(guest()))) {
            for (var entry : image.devices()) {
                BlockDevice first = image.device(entry.name());
                BlockDevice second = image.device(entry.name());
                first.close();

                assertThatThrownBy(() -> bytes(first)).isInstanceOf(ClosedChannelException.class);
                assertThat(bytes(second).remaining()).isEqualTo((int) entry.size());
                second.close();
            }
        }
    }

    @Test
    void closingTheInspectorEndsItsDevices() throws IOException {
        ImageInspector image = ImageInspector.open(raw(guest()));
        List<BlockDevice> devices = new ArrayList<>();
        for (var entry : image.devices()) {
            devices.add(image.device(entry.name()));
        }
        image.close();
        image.close();

        for (BlockDevice device : devices) {
            assertThatThrownBy(() -> bytes(device)).as(device.description()).isInstanceOf(ClosedChannelException.class);
            device.close();
        }
        assertThatThrownBy(() -> image.device("/dev/sda")).isInstanceOf(ClosedChannelException.class);
        assertThat(image.partitions()).hasSize(2);
        assertThat(image.report().toJson()).contains("/dev/vg0/root");
    }

    @Test
    void devicesOfTheCallerAreNotClosedAndNotWrittenTo() throws IOException {
        RecordingDevice disk = new RecordingDevice(guest().device("disk"));

        try (ImageInspector image = ImageInspector.of(disk)) {
            assertThat(image.volumeGroups()).hasSize(1);
        }

        assertThat(disk.log().count(RequestLog.Kind.CLOSE)).isZero();
        assertThat(disk.log().count(RequestLog.Kind.WRITE)).isZero();
        assertThat(disk.log().count(RequestLog.Kind.DISCARD)).isZero();
        assertThat(bytes(disk).remaining()).isEqualTo(SIZE);
    }

    @Test
    void manyThreadsReadTheSameBytes() throws Exception {
        try (ImageInspector image = ImageInspector.open(raw(guest()))) {
            ByteBuffer expected;
            try (BlockDevice root = image.device("/dev/vg0/root")) {
                expected = bytes(root);
            }
            ExecutorService threads = Executors.newFixedThreadPool(8);
            try {
                Callable<ByteBuffer> read = () -> {
                    ByteBuffer last = ByteBuffer.allocate(0);
                    for (int i = 0; i < 50; i++) {
                        try (BlockDevice root = image.device("/dev/vg0/root")) {
                            last = bytes(root);
                        }
                    }
                    return last;
                };
                List<Future<ByteBuffer>> results =
                        threads.invokeAll(List.of(read, read, read, read, read, read, read, read));
                for (Future<ByteBuffer> result : results) {
                    assertThat(result.get()).isEqualTo(expected);
                }
            } finally {
                threads.shutdownNow();
            }
        }
    }

    @Test
    void noImageIsAMistakeOfTheCaller() {
        assertThatThrownBy(() -> ImageInspector.open(List.of()))
                .isInstanceOf(IllegalArgumentException.class)
                .hasMessageContaining("at least one");
        assertThatThrownBy(ImageInspector::of).isInstanceOf(IllegalArgumentException.class);
        assertThatThrownBy(() -> ImageInspector.open(folder.resolve("none.raw")))
                .isInstanceOf(NoSuchFileException.class);
    }

    @Test
    void fileSystemOnTheBareDiskIsNoTable() throws IOException {
        GuestBytes disk = new GuestBytes(64 << 10).swap(0, "bare").bootSignature();

        try (ImageInspector image = ImageInspector.of(disk.device("bare"))) {
            assertThat(image.disks().get(0).table().type()).isNull();
            assertThat(image.fileSystems()).containsOnlyKeys("/dev/sda");
            assertThat(image.listFileSystems()).containsEntry("/dev/sda", "swap");
        }
    }

    @Test
    void physicalVolumeOnTheWholeDiskIsFound() throws IOException {
        int size = GuestBytes.DATA_AT + 16 * GuestBytes.EXTENT;
        GuestBytes disk = new GuestBytes(size)
                .physicalVolume(
                        0, size, uuid('a'), GuestBytes.group("vg0", 'G', 'a', GuestBytes.volume("v", 'R', 0, 1)));

        try (ImageInspector image = ImageInspector.of(disk.device("pv"))) {
            assertThat(image.physicalVolumes())
                    .extracting(PhysicalVolume::deviceName)
                    .containsExactly("/dev/sda");
            assertThat(image.partitions()).isEmpty();
            assertThat(image.fileSystems()).isEmpty();
            assertThat(image.device("/dev/vg0/v").size()).isEqualTo(GuestBytes.EXTENT);
        }
    }

    @Test
    void tableInsideAVolumeIsNotDescendedInto() throws IOException {
        GuestBytes disk = guest();
        GuestBytes inner = new GuestBytes(16 << 10).partition(1, 0x83, 8, 8);
        disk.bytes.put(64 * 512 + GuestBytes.DATA_AT, inner.array());

        try (ImageInspector image = ImageInspector.of(disk.device("nested"))) {
            assertThat(image.partitions()).extracting(Partition::number).containsExactly(1, 2);
            assertThat(image.devices())
                    .extracting(entry -> entry.name())
                    .containsExactly("/dev/sda", "/dev/sda1", "/dev/sda2", "/dev/vg0/root");
        }
    }

    @Test
    void sectorSizeIsWhatTheCallerSays() throws IOException {
        GuestBytes disk = new GuestBytes(SIZE).partition(1, 0x83, 8, 8);
        Path file = raw(disk);

        try (ImageInspector small = ImageInspector.open(file);
                ImageInspector large = ImageInspector.open(
                        file, OpenOptions.builder().sectorSize(4096).build())) {
            assertThat(small.partitions().get(0).start()).isEqualTo(8 * 512);
            assertThat(large.partitions().get(0).start()).isEqualTo(8 * 4096);
            assertThat(large.disks().get(0).table().sectorSize()).isEqualTo(4096);
        }
    }

    @Test
    void guestThatWroteAQcow2HeaderStaysRawWhenRawIsStated() throws IOException {
        ReferenceTools.assumeTool("qemu-img");
        Path secret = TempImages.raw(folder, "secret.raw", Contents.testBytes(1 << 20));
        Path trap = TempImages.qemu(folder, "trap", "qcow2", 1 << 20, "-b", secret.toString(), "-F", "raw");

        try (ImageInspector image = ImageInspector.open(
                trap,
                OpenOptions.builder()
                        .format("raw")
                        .references(ReferencePolicy.all())
                        .build())) {
            assertThat(Objects.requireNonNull(image.disks().get(0).image())
                            .info()
                            .format())
                    .isEqualTo("raw");
            assertThat(image.device("/dev/sda").size()).isEqualTo(trap.toFile().length());
            assertThat(image.report().isComplete()).isTrue();
        }
    }

    @Test
    void refusedBackingFileIsAProblemThatSaysHowToAllowIt() throws IOException {
        Path base = TempImages.qemuConvert(raw(guest()), "base.qcow2", "qcow2");
        Path overlay = TempImages.qemu(
                folder, "overlay.qcow2", "qcow2", SIZE, "-b", base.getFileName().toString(), "-F", "qcow2");

        try (ImageInspector image = ImageInspector.open(overlay)) {
            assertThat(image.report().isComplete()).isFalse();
            assertThat(image.problems().get(0)).contains("\"base.qcow2\"", "--allow-references " + folder);
            // once for the file, once for each volume that would be looked for there; not once a read
            assertThat(image.problems()).hasSizeLessThan(5);
            assertThat(image.disks().get(0).device().size()).isEqualTo(SIZE);
        }
        OpenOptions allowed =
                OpenOptions.builder().references(ReferencePolicy.under(folder)).build();
        try (ImageInspector image = ImageInspector.open(overlay, allowed)) {
            assertThat(image.report().isComplete()).isTrue();
            assertThat(image.volumeGroups()).hasSize(1);
        }
    }

    @Test
    void whatDoesNotNeedTheRefusedBackingFileIsShown() throws IOException {
        ReferenceTools.assumeTool("qemu-io");
        Path base = TempImages.sparse(folder, "base.raw", SIZE);
        Path overlay = TempImages.qemu(folder, "overlay.qcow2", "qcow2", SIZE, "-b", "base.raw", "-F", "raw");
        // only the first 64 KiB, with the table, are in the overlay
        Path head = TempImages.raw(folder, "head.raw", guest().array());
        ReferenceTools.runOk("qemu-io", "-f", "qcow2", "-c", "write -s " + head + " 0 64k", overlay.toString());

        try (ImageInspector image = ImageInspector.open(overlay)) {
            assertThat(base).exists();
            assertThat(image.partitions()).extracting(Partition::number).containsExactly(1, 2);
            assertThat(image.report().isComplete()).isFalse();
            assertThat(image.problems())
                    .anySatisfy(problem -> assertThat(problem).contains("base.raw"));
        }
    }

    @Test
    void snapshotIsInspectedAsItWas() throws IOException {
        Path file = TempImages.qemuConvert(raw(guest()), "guest.qcow2", "qcow2");
        ReferenceTools.assumeTool("qemu-io");
        ReferenceTools.runOk("qemu-img", "snapshot", "-c", "before", file.toString());
        ReferenceTools.runOk("qemu-io", "-f", "qcow2", "-c", "write -P 0 0 512k", file.toString());

        try (ImageInspector now = ImageInspector.open(file);
                ImageInspector before = ImageInspector.open(List.of(file), OpenOptions.defaults(), "before")) {
            assertThat(now.partitions()).isEmpty();
            assertThat(before.partitions()).hasSize(2);
            assertThat(before.device("/dev/vg0/root").size()).isEqualTo(16 << 10);
        }
        assertThatThrownBy(() -> ImageInspector.open(List.of(file), OpenOptions.defaults(), "none\u001b"))
                .isInstanceOf(DiskImageException.class)
                .hasMessageContaining("snapshot")
                .message()
                .doesNotContain("\u001b");
    }

    @Test
    void encryptedImageIsShownWithAWarningAndNothingInside() throws IOException {
        ReferenceTools.assumeTool("qemu-img");
        Path file = folder.resolve("secret.qcow2");
        createEncrypted(file);

        try (ImageInspector image = ImageInspector.open(file)) {
            assertThat(image.report().toJson()).contains("\"encrypted\": true");
            assertThat(image.warnings())
                    .anySatisfy(warning -> assertThat(warning).contains("encrypted"));
            assertThat(image.report().isComplete()).isTrue();
            assertThat(image.partitions()).isEmpty();
            assertThat(image.volumes()).isEmpty();
        }
    }

    /** Again while qemu-img says that its clock was too coarse to find out how fast the processor hashes. */
    private static void createEncrypted(Path file) throws IOException {
        ToolResult result;
        int attempts = 0;
        do {
            Files.deleteIfExists(file);
            result = ReferenceTools.run(
                    "qemu-img",
                    "create",
                    "-q",
                    "--object",
                    "secret,id=s,data=geheim",
                    "-f",
                    "qcow2",
                    "-o",
                    "encrypt.format=luks,encrypt.key-secret=s,encrypt.iter-time=10",
                    file.toString(),
                    "1M");
        } while (++attempts < 20 && result.stderr().contains("accurate CPU usage"));
        result.assertSuccess();
    }

    @Test
    void warningsGoToTheCallerAndIntoTheReport() throws IOException {
        GuestBytes disk = guest().partition(2, 0x83, 100, 1000);
        List<String> heard = new ArrayList<>();
        OpenOptions options = OpenOptions.builder()
                .onWarning(warning -> heard.add(warning.text()))
                .build();

        try (ImageInspector image = ImageInspector.open(raw(disk), options)) {
            assertThat(image.disks().get(0).table().warnings()).isNotEmpty();
            assertThat(image.warnings()).containsAll(heard);
        }
    }
}
