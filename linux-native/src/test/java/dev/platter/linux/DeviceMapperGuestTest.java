package dev.platter.linux;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.platter.core.BlockDevice;
import dev.platter.core.BlockIOException;
import dev.platter.core.BlockIOException.Kind;
import dev.platter.core.OpenOptions;
import dev.platter.inspect.ImageInspector;
import dev.platter.linux.DeviceMapper.Mapped;
import dev.platter.linux.DeviceTable.Target;
import dev.platter.linux.DeviceTables.BoundDisk;
import dev.platter.testkit.LoopDevice;
import dev.platter.testkit.ReferenceTools;
import dev.platter.testkit.TempImages;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/** Devices of a real kernel's device-mapper. */
@GuestTest
@Timeout(300)
class DeviceMapperGuestTest {
    @TempDir
    Path folder;

    @BeforeAll
    static void loadLoopDevices() throws IOException {
        KernelDevices.loadLoop();
    }

    @AfterEach
    void nothingIsLeft() throws IOException {
        assertThat(DeviceMapper.list()).isEmpty();
        if (Files.exists(Path.of("/dev/mapper"))) {
            try (Stream<Path> links = Files.list(Path.of("/dev/mapper"))) {
                assertThat(links.map(link -> "" + link.getFileName())).noneMatch(name -> name.contains("platter"));
            }
        }
    }

    private static ImageInspector inspect(Path image) throws IOException {
        return ImageInspector.open(
                image, OpenOptions.builder().writable(true).format("raw").build());
    }

    /** Makes a table of a device of an image that is bound to a loop device. */
    private static DeviceTable table(ImageInspector image, String name, LoopDevice loop) throws IOException {
        BlockDevice disk = image.disks().get(0).device();
        try (BlockDevice volume = image.device(name)) {
            return DeviceTables.of(volume, List.of(new BoundDisk(disk, loop.path(), 0)));
        }
    }

    @Test
    void partitionsAreMountedByTheirOwnDevices() throws IOException {
        Path raw = GuestDisk.partitioned(folder, "disk.raw");
        try (ImageInspector image = inspect(raw);
                LoopDevice loop = LoopDevice.attach(raw);
                Mapped first = DeviceMapper.ofPartition("disk", 1, table(image, "/dev/sda1", loop), false)) {
            assertThat(first.link()).isEqualTo(Path.of("/dev/mapper/platter-disk-p1"));
            assertThat(first.link().toRealPath()).isEqualTo(first.path());
            assertThat(SysBlock.size(first.path())).isEqualTo(40 * GuestDisk.MIB);
            ReferenceTools.runOk("mkfs.ext4", "-q", first.link().toString());
            GuestDisk.writeFile(first.link(), folder, "text", "hello");
            ReferenceTools.runOk("e2fsck", "-fn", first.path().toString());
            assertThat(GuestDisk.readFile(first.path(), folder, "text")).isEqualTo("hello");
        }
    }

    @Test
    void theKernelHasTheTableThatItWasGiven() throws IOException {
        Path raw = TempImages.sparse(folder, "disk.raw", 1 << 20);
        try (LoopDevice loop = LoopDevice.attach(raw)) {
            String numbers = String.valueOf(SysBlock.numbers(SysBlock.of(loop.path())));
            DeviceTable table =
                    new DeviceTable(List.of(Target.linear(0, 8, numbers, 16), Target.zero(8, 16), Target.error(24, 8)));
            try (Mapped mapped = DeviceMapper.ofPartition("t", 1, table, true)) {
                assertThat(DeviceMapper.table(mapped.name())).isEqualTo(table);
                assertThat(DeviceMapper.list()).containsExactly(mapped.name());
                assertThat(ReferenceTools.runOk("dmsetup", "table", mapped.name())
                                .stdout()
                                .lines()
                                .map(String::strip))
                        .containsExactlyElementsOf(table.toString().lines().toList());
            }
        }
    }

    @Test
    void zeroReadsAsZeroAndErrorFails() throws IOException {
        DeviceTable table = new DeviceTable(List.of(Target.zero(0, 64), Target.error(64, 64)));
        try (Mapped mapped = DeviceMapper.ofPartition("t", 1, table, true)) {
            String node = "if=" + mapped.path();
            Path out = folder.resolve("out");

            GuestDisk.dd(node, "of=" + out, "bs=4k", "count=8", "iflag=direct").assertSuccess();

            assertThat(Files.readAllBytes(out)).hasSize(32 << 10).containsOnly(0);
            assertThat(GuestDisk.dd(node, "of=/dev/null", "bs=4k", "skip=8", "count=1", "iflag=direct")
                            .stderr())
                    .contains("Input/output error");
        }
    }

    @Test
    void aReadOnlyDeviceRefusesWrites() throws IOException {
        DeviceTable table = new DeviceTable(List.of(Target.zero(0, 64)));
        try (Mapped mapped = DeviceMapper.ofPartition("t", 1, table, true)) {
            assertThat(GuestDisk.dd("if=/dev/zero", "of=" + mapped.path(), "bs=4k", "count=1")
                            .exit())
                    .isNotZero();
        }
    }

    @Test
    void aTableThatTheKernelRefusesLeavesNothing() throws IOException {
        Path raw = TempImages.sparse(folder, "disk.raw", 1 << 20);
        try (LoopDevice loop = LoopDevice.attach(raw)) {
            String numbers = String.valueOf(SysBlock.numbers(SysBlock.of(loop.path())));
            DeviceTable beyond = new DeviceTable(List.of(Target.linear(0, 4096, numbers, 0)));
            DeviceTable nowhere = new DeviceTable(List.of(Target.linear(0, 8, "252:99", 0)));

            assertThatThrownBy(() -> DeviceMapper.ofPartition("t", 1, beyond, false))
                    .isInstanceOf(BlockIOException.class)
                    .hasMessageContaining("platter-t-p1");
            assertThatThrownBy(() -> DeviceMapper.ofPartition("t", 1, nowhere, false))
                    .isInstanceOf(BlockIOException.class);

            assertThat(DeviceMapper.list()).isEmpty();
            assertThat(Files.exists(Path.of("/dev/mapper/platter-t-p1"))).isFalse();
        }
    }

    @Test
    void aSecondDeviceOfTheSameNameIsRefusedAndTheFirstStays() throws IOException {
        DeviceTable table = new DeviceTable(List.of(Target.zero(0, 64)));
        try (Mapped mapped = DeviceMapper.ofPartition("t", 1, table, true)) {
            assertThatThrownBy(() -> DeviceMapper.ofPartition("t", 1, table, true))
                    .isInstanceOfSatisfying(
                            BlockIOException.class, e -> assertThat(e.kind()).isEqualTo(Kind.BUSY))
                    .hasMessageContaining("platter-t-p1: there is a device of that name");
            assertThat(Files.exists(mapped.link())).isTrue();
        }
    }

    @Test
    void aMountedDeviceStaysAndSaysWhereItIsMounted() throws IOException {
        Path raw = GuestDisk.partitioned(folder, "disk.raw");
        try (ImageInspector image = inspect(raw);
                LoopDevice loop = LoopDevice.attach(raw);
                Mapped mapped = DeviceMapper.ofPartition("disk", 1, table(image, "/dev/sda1", loop), false)) {
            ReferenceTools.runOk("mkfs.ext4", "-q", mapped.path().toString());
            Path point = GuestDisk.mount(mapped.path(), folder, "rw");
            try {
                assertThatThrownBy(mapped::close)
                        .isInstanceOfSatisfying(
                                BlockIOException.class,
                                e -> assertThat(e.kind()).isEqualTo(Kind.BUSY))
                        .hasMessageContaining("mounted on " + point);
                assertThat(Files.exists(mapped.link())).isTrue();
            } finally {
                GuestDisk.umount(point);
            }
        }
    }

    @Test
    void devicesOfOthersAreLeftAlone() throws IOException {
        ReferenceTools.runOk("dmsetup", "create", "stranger", "--noudevsync", "--table", "0 8 zero");
        try {
            assertThatThrownBy(() -> DeviceMapper.remove("stranger")).hasMessageContaining("not made by this program");
            assertThat(DeviceMapper.list()).isEmpty();
        } finally {
            ReferenceTools.runOk("dmsetup", "remove", "--noudevsync", "stranger");
        }
    }

    @Test
    void groupsOfOneNameInTwoGuestsAndTheHostAreAllThereAtOnce() throws IOException {
        Path one = GuestDisk.withVolumes(folder, "one.raw", "first");
        Path two = GuestDisk.withVolumes(folder, "two.raw", "second");
        Path host = GuestDisk.withVolumes(folder, "host.raw", "host");
        String hostLoop = GuestDisk.losetup("--partscan", host);
        try {
            GuestDisk.lvm("vgchange", "-ay", "vg0");
            String before = GuestDisk.lvmState();
            String loops = ReferenceTools.runOk("sha256sum", one.toString(), two.toString())
                    .stdout();
            String during;
            try (ImageInspector first = inspect(one);
                    ImageInspector second = inspect(two);
                    LoopDevice firstLoop = LoopDevice.attach(one);
                    LoopDevice secondLoop = LoopDevice.attach(two);
                    Mapped firstRoot = volume("one", "root", first, firstLoop);
                    Mapped firstData = volume("one", "my-data", first, firstLoop);
                    Mapped secondRoot = volume("two", "root", second, secondLoop);
                    NbdDevice served = servedVolume(second)) {
                during = GuestDisk.lvmState();
                assertThat(firstData.name()).isEqualTo("platter-one-vg0-my--data");
                assertThat(DeviceMapper.table(firstRoot.name()).targets()).hasSize(2);
                assertThat(GuestDisk.readFile(firstRoot.path(), folder, "name")).isEqualTo("first");
                assertThat(GuestDisk.readFile(secondRoot.path(), folder, "name"))
                        .isEqualTo("second");
                assertThat(GuestDisk.readFile(served.path(), folder, "name")).isEqualTo("second");
                assertThat(GuestDisk.readFile(Path.of("/dev/vg0/root"), folder, "name"))
                        .isEqualTo("host");
            }

            assertThat(during).isEqualTo(before).contains("vg0");
            assertThat(GuestDisk.lvmState()).isEqualTo(before);
            assertThat(ReferenceTools.runOk("sha256sum", one.toString(), two.toString())
                            .stdout())
                    .isEqualTo(loops);
        } finally {
            GuestDisk.lvm("vgchange", "-an", "vg0");
            ReferenceTools.runOk("losetup", "--detach", hostLoop);
        }
    }

    private static Mapped volume(String tag, String name, ImageInspector image, LoopDevice loop) throws IOException {
        return DeviceMapper.ofVolume(tag, "vg0", name, table(image, "/dev/vg0/" + name, loop), false);
    }

    /** The way without device-mapper: the volume is a device of its own. */
    private static NbdDevice servedVolume(ImageInspector image) throws IOException {
        return NbdDevice.connect(
                image.device("/dev/vg0/root"),
                NbdDeviceOptions.builder().readOnly().build());
    }

    @Test
    void aVolumeIsWrittenThroughItsDeviceAndReadInTheImage() throws IOException {
        Path raw = GuestDisk.withVolumes(folder, "guest.raw", "guest");
        try (ImageInspector image = inspect(raw);
                LoopDevice loop = LoopDevice.attach(raw);
                Mapped root = volume("guest", "root", image, loop)) {
            GuestDisk.writeFile(root.path(), folder, "added", "by the host");
            ReferenceTools.runOk("e2fsck", "-fn", root.path().toString());
        }

        String loop = GuestDisk.losetup("--partscan", raw);
        try {
            GuestDisk.lvm("vgchange", "-ay", "vg0");
            assertThat(GuestDisk.readFile(Path.of("/dev/vg0/root"), folder, "added"))
                    .isEqualTo("by the host");
            GuestDisk.lvm("vgchange", "-an", "vg0");
        } finally {
            ReferenceTools.runOk("losetup", "--detach", loop);
        }
    }
}
