package dev.platter.linux;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.platter.core.BlockDevice;
import dev.platter.core.BlockIOException;
import dev.platter.core.BlockIOException.Kind;
import dev.platter.core.OpenOptions;
import dev.platter.inspect.ImageInspector;
import dev.platter.testkit.ReferenceTools;
import dev.platter.testkit.TempImages;
import dev.platter.testkit.ToolResult;
import java.io.BufferedReader;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Objects;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Logical volumes of bound disks, by the device-mapper of a real kernel. */
@GuestTest
@Timeout(300)
class BoundVolumesGuestTest {
    private static final String TAG = "one";
    private static final String OTHER = "two";
    private static final int ROUNDS = 200;

    /** A guest's disk that was made once, for making one takes longer than most that is done to it. */
    private static @TempDir Path made;

    @TempDir
    Path folder;

    /** Binds the volumes of an image and waits to be killed. */
    static final class Server {
        private Server() {}

        public static void main(String[] arguments) throws IOException {
            ImageInspector guest = inspect(Path.of(arguments[0]), true);
            Binding binding = bind(guest, TAG, BindOptions.writable());
            System.out.println(volume(binding, "root").path());
            System.out.flush();
            // until the test is gone
            System.in.readAllBytes();
            binding.close();
        }
    }

    /** All but the node of FUSE, which is to be asked for by the binding. */
    @BeforeAll
    static void loadLoopDevices() throws IOException {
        KernelDevices.loadLoop();
    }

    @AfterEach
    void nothingIsLeft() throws IOException {
        assertThat(DeviceMapper.list()).isEmpty();
        KernelDevices.assertNothingLeft(folder, TAG, OTHER);
    }

    private static ImageInspector inspect(Path image, boolean writable) throws IOException {
        return ImageInspector.open(image, options(image.toString().endsWith(".raw") ? "raw" : "qcow2", writable));
    }

    private static OpenOptions options(String format, boolean writable) {
        return OpenOptions.builder().writable(writable).format(format).build();
    }

    private static Binding bind(ImageInspector guest, String tag, BindOptions plain) throws IOException {
        return LinuxBindings.bind(
                guest.disks().get(0).device(),
                plain.tag(tag).catalog(guest).partitions().volumes());
    }

    private static BoundDevice volume(Binding binding, String name) {
        return binding.volumes().stream()
                .filter(device -> device.name().equals("/dev/vg0/" + name))
                .findFirst()
                .orElseThrow();
    }

    private Path guest(String format) throws IOException {
        Path first = made.resolve("guest.raw");
        if (!Files.exists(first)) {
            GuestDisk.withVolumes(made, "guest.raw", "guest");
        }
        Path raw = folder.resolve("guest.raw");
        ReferenceTools.runOk("cp", "--sparse=always", first.toString(), raw.toString());
        return inFormat(raw, format);
    }

    private static Path inFormat(Path raw, String format) throws IOException {
        return format.equals("raw")
                ? raw
                : TempImages.qemuConvert(raw, raw.getFileName().toString().replace(".raw", "." + format), format);
    }

    private static String sha256(Path... files) throws IOException {
        StringBuilder sums = new StringBuilder();
        for (Path file : files) {
            sums.append(ReferenceTools.runOk("sha256sum", file.toString()).stdout());
        }
        return sums.toString();
    }

    private String name(Binding binding) throws IOException {
        return GuestDisk.readFile(volume(binding, "root").path(), folder, "name");
    }

    @Test
    void groupsOfOneNameInTwoGuestsAndTheHostAreBoundAtOnce() throws IOException {
        Path one = GuestDisk.withVolumes(folder, "one.raw", "first");
        Path two = inFormat(GuestDisk.withVolumes(folder, "two.raw", "second"), "qcow2");
        Path host = GuestDisk.withVolumes(folder, "host.raw", "host");
        String hostLoop = GuestDisk.losetup("--partscan", host);
        try {
            GuestDisk.lvm("vgchange", "-ay", "vg0");
            String state = GuestDisk.lvmState();
            String sums = sha256(one, two);
            try (ImageInspector first = inspect(one, false);
                    ImageInspector second = inspect(two, false);
                    Binding firstBound = bind(first, TAG, BindOptions.readOnly());
                    Binding secondBound = bind(second, OTHER, BindOptions.readOnly())) {
                assertThat(GuestDisk.lvmState()).isEqualTo(state).contains("vg0");
                assertThat(firstBound.volumes())
                        .extracting(BoundDevice::path)
                        .containsExactlyInAnyOrder(
                                Path.of("/dev/mapper/platter-one-vg0-root"),
                                Path.of("/dev/mapper/platter-one-vg0-my--data"));
                assertThat(volume(secondBound, "root").path()).hasToString("/dev/mapper/platter-two-vg0-root");
                assertThat(name(firstBound)).isEqualTo("first");
                assertThat(name(secondBound)).isEqualTo("second");
                assertThat(GuestDisk.readFile(Path.of("/dev/vg0/root"), folder, "name"))
                        .isEqualTo("host");
                assertThat(firstBound.isServed()).isFalse();
                assertThat(secondBound.isServed()).isTrue();
                assertThat(GuestDisk.lvmState()).isEqualTo(state);
            }
            assertThat(GuestDisk.lvmState()).isEqualTo(state);
            assertThat(sha256(one, two)).isEqualTo(sums);
        } finally {
            GuestDisk.lvm("vgchange", "-an", "vg0");
            ReferenceTools.runOk("losetup", "--detach", hostLoop);
        }
    }

    /** As {@code platter bind IMAGE:/dev/vg0/root} does. */
    @ParameterizedTest
    @ValueSource(strings = {"raw", "qcow2"})
    void namedVolumeIsBoundBesideAGroupOfTheHostOfItsName(String format) throws IOException {
        Path image = guest(format);
        Path host = GuestDisk.withVolumes(folder, "host.raw", "host");
        String hostLoop = GuestDisk.losetup("--partscan", host);
        try {
            GuestDisk.lvm("vgchange", "-ay", "vg0");
            String state = GuestDisk.lvmState();
            String name = "/dev/vg0/root";
            try (ImageInspector guest = inspect(image, false);
                    BlockDevice root = guest.device(name);
                    Binding binding = LinuxBindings.bind(
                            root, BindOptions.readOnly().tag(TAG).catalog(guest, name))) {
                assertThat(binding.device().toString()).startsWith("/dev/loop");
                assertThat(binding.isServed()).isTrue();
                assertThat(GuestDisk.readFile(binding.device(), folder, "name")).isEqualTo("guest");
                assertThat(GuestDisk.readFile(Path.of(name), folder, "name")).isEqualTo("host");
                assertThat(GuestDisk.lvmState()).isEqualTo(state).contains("vg0");
            }
            assertThat(GuestDisk.lvmState()).isEqualTo(state);
        } finally {
            GuestDisk.lvm("vgchange", "-an", "vg0");
            ReferenceTools.runOk("losetup", "--detach", hostLoop);
        }
    }

    /** One disk is bound; what lies on it alone is made of pieces of its device, the other one is served. */
    @ParameterizedTest
    @ValueSource(strings = {"raw", "qcow2"})
    void volumeThatAlsoLiesOnAnotherDiskIsADeviceOfItsOwn(String format) throws IOException {
        List<Path> disks = spanned(format);
        String state = GuestDisk.lvmState();
        String sums = sha256(disks.get(0), disks.get(1));
        try (ImageInspector guest = ImageInspector.open(disks, options(format, false));
                Binding binding = bind(guest, TAG, BindOptions.readOnly())) {
            Path root = volume(binding, "root").path();
            Path data = volume(binding, "data").path();
            assertThat(root).hasToString("/dev/mapper/platter-one-vg0-root");
            assertThat(data.toString()).startsWith("/dev/loop");
            assertThat(GuestDisk.readFile(root, folder, "name")).isEqualTo("root of two");
            assertThat(GuestDisk.readFile(data, folder, "name")).isEqualTo("data of two");
            ReferenceTools.runOk("e2fsck", "-fn", data.toString());
            assertThat(DeviceMapper.list()).containsExactly("platter-one-vg0-root");
            assertThat(GuestDisk.lvmState()).isEqualTo(state);
        }
        assertThat(sha256(disks.get(0), disks.get(1))).isEqualTo(sums);
    }

    @Test
    void volumeOnTwoBoundDisksIsATableOverBoth() throws IOException {
        List<Path> disks = spanned("raw");
        // more than lies on the first disk
        String text = GuestDisk.text(3, 36 << 20);
        try (ImageInspector guest = ImageInspector.open(disks, options("raw", true));
                LoopDevice first =
                        LoopDevice.attach(disks.get(0), LoopOptions.ofWritable().withRange(4096, 0));
                LoopDevice second =
                        LoopDevice.attach(disks.get(1), LoopOptions.ofWritable().withRange(4096, 0));
                BlockDevice volume = guest.device("/dev/vg0/data")) {
            DeviceTable table = DeviceTables.of(
                    volume,
                    List.of(
                            new DeviceTables.BoundDisk(guest.disks().get(0).device(), first.path(), 4096),
                            new DeviceTables.BoundDisk(guest.disks().get(1).device(), second.path(), 4096)));
            assertThat(table.targets()).hasSize(2);
            try (DeviceMapper.Mapped data = DeviceMapper.ofVolume(TAG, "vg0", "data", table, false)) {
                GuestDisk.writeFile(data.path(), folder, "added", text);
                ReferenceTools.runOk("e2fsck", "-fn", data.path().toString());
                assertThat(GuestDisk.readFile(data.path(), folder, "added")).isEqualTo(text);
            }
        }
        try (ImageInspector guest = ImageInspector.open(disks, options("raw", false));
                BlockDevice volume = guest.device("/dev/vg0/data");
                Binding binding =
                        LinuxBindings.bind(volume, BindOptions.readOnly().tag(TAG))) {
            assertThat(GuestDisk.readFile(binding.device(), folder, "added")).isEqualTo(text);
        }
    }

    private List<Path> spanned(String format) throws IOException {
        List<Path> raw = GuestDisk.spanned(folder, " of two");
        return List.of(inFormat(raw.get(0), format), inFormat(raw.get(1), format));
    }

    @ParameterizedTest
    @ValueSource(strings = {"raw", "qcow2"})
    void volumeIsWrittenAndInOrderAfterwards(String format) throws IOException {
        Path image = guest(format);
        try (ImageInspector guest = inspect(image, true);
                Binding binding = bind(guest, TAG, BindOptions.writable())) {
            GuestDisk.writeFile(volume(binding, "root").path(), folder, "added", GuestDisk.text(1, 5 << 20));
        }
        try (ImageInspector guest = inspect(image, false);
                Binding binding = bind(guest, TAG, BindOptions.readOnly())) {
            Path root = volume(binding, "root").path();
            ReferenceTools.runOk("e2fsck", "-fn", root.toString());
            assertThat(GuestDisk.readFile(root, folder, "added")).isEqualTo(GuestDisk.text(1, 5 << 20));
        }
        if (format.equals("qcow2")) {
            ReferenceTools.runOk("qemu-img", "check", image.toString());
        }
    }

    @Test
    void partitionsAndVolumesAreMountedAtOnce() throws IOException {
        Path image = guest("raw");
        try (ImageInspector guest = inspect(image, true);
                Binding binding = bind(guest, TAG, BindOptions.writable())) {
            assertThat(binding.partitions())
                    .extracting(BoundDevice::path)
                    .containsExactly(Path.of("/dev/mapper/platter-one-p1"));
            Path boot = binding.partitions().get(0).path();
            ReferenceTools.runOk("mkfs.ext4", "-q", boot.toString());
            Path root = GuestDisk.mount(volume(binding, "root").path(), folder, "rw");
            try {
                GuestDisk.writeFile(boot, folder, "boot", "both");
                assertThat(GuestDisk.readFile(boot, folder, "boot")).isEqualTo("both");
            } finally {
                GuestDisk.umount(root);
            }
        }
        try (ImageInspector guest = inspect(image, false)) {
            assertThat(guest.fileSystems().get("/dev/sda1"))
                    .isNotNull()
                    .satisfies(found -> assertThat(found.type()).isEqualTo("ext4"));
        }
    }

    @Test
    void barePhysicalVolumeHasItsVolumesBehindTheLabel() throws IOException {
        Path image = TempImages.sparse(folder, "bare.raw", 64 * GuestDisk.MIB);
        String loop = GuestDisk.losetup("--nooverlap", image);
        GuestDisk.lvm("vgcreate", "vg0", loop);
        GuestDisk.lvm("lvcreate", "-y", "-n", "root", "-L", "24M", "vg0");
        ReferenceTools.runOk("mkfs.ext4", "-q", "/dev/vg0/root");
        GuestDisk.writeFile(Path.of("/dev/vg0/root"), folder, "name", "bare");
        GuestDisk.lvm("vgchange", "-an", "vg0");
        ReferenceTools.runOk("losetup", "--detach", loop);
        String state = GuestDisk.lvmState();
        try (ImageInspector guest = inspect(image, false);
                Binding binding = bind(guest, TAG, BindOptions.readOnly())) {
            assertThat(volume(binding, "root").path()).hasToString("/dev/mapper/platter-one-vg0-root");
            assertThat(name(binding)).isEqualTo("bare");
            assertThat(GuestDisk.lvmState()).isEqualTo(state);
        }
    }

    @Test
    void mountedVolumeKeepsTheWholeBindingAndIsNamed() throws IOException {
        try (ImageInspector guest = inspect(guest("qcow2"), false);
                Binding binding = bind(guest, TAG, BindOptions.readOnly())) {
            Path root = volume(binding, "root").path();
            Path point = GuestDisk.mount(root, folder, "ro,noload");
            try {
                assertThat(binding.isUsed()).isTrue();
                assertThatThrownBy(binding::close)
                        .isInstanceOfSatisfying(
                                BlockIOException.class,
                                e -> assertThat(e.kind()).isEqualTo(Kind.BUSY))
                        .hasMessageContaining(root + ": is in use and stays: mounted on " + point);
                assertThatThrownBy(() -> LinuxBindings.release(TAG)).hasMessageContaining("mounted on " + point);
                assertThat(binding.isThere()).isTrue();
                assertThat(DeviceMapper.list()).hasSize(3);
            } finally {
                GuestDisk.umount(point);
            }
            assertThat(binding.isUsed()).isFalse();
        }
    }

    @Test
    void deviceOfAnotherProgramOnTheDiskIsNamed() throws IOException {
        try (ImageInspector guest = inspect(guest("raw"), false);
                Binding binding = bind(guest, TAG, BindOptions.readOnly())) {
            String table = "0 8 linear " + binding.device() + " 0";
            ReferenceTools.runOk("dmsetup", "create", "stranger", "--readonly", "--noudevsync", "--table", table);
            try {
                assertThatThrownBy(binding::close)
                        .hasMessageMatching(
                                binding.device() + ": is in use and stays: in use by /dev/dm-\\d+ \\(stranger\\)");
                assertThat(binding.isThere()).isTrue();
            } finally {
                ReferenceTools.runOk("dmsetup", "remove", "--noudevsync", "stranger");
            }
        }
    }

    @Test
    void bindingIsListedAndReleasedByItsTag() throws IOException {
        try (ImageInspector guest = inspect(guest("qcow2"), false);
                Binding binding = bind(guest, TAG, BindOptions.readOnly())) {
            BindingInfo info = LinuxBindings.list().stream()
                    .filter(each -> each.tag().equals(TAG))
                    .findFirst()
                    .orElseThrow();
            assertThat(info.devices())
                    .hasSize(4)
                    .contains(volume(binding, "root").path())
                    .endsWith(binding.device());

            LinuxBindings.release(TAG);

            assertThat(binding.isThere()).isFalse();
            assertThat(DeviceMapper.list()).isEmpty();
        }
    }

    /** The kernel goes on by itself where the image is raw; what a process served fails. */
    @ParameterizedTest
    @ValueSource(strings = {"raw", "qcow2"})
    void whatAKilledProcessLeftIsCleaned(String format) throws Exception {
        Path image = guest(format);
        Process server = new ProcessBuilder(KilledProcessTest.command(Server.class, image))
                .redirectError(ProcessBuilder.Redirect.INHERIT)
                .start();
        Path point = Files.createDirectory(folder.resolve("mnt"));
        try {
            // not closed: that would be the end of the server
            BufferedReader lines = server.inputReader(StandardCharsets.UTF_8);
            String root = Objects.requireNonNull(lines.readLine(), "the server ended");
            ReferenceTools.runOk("mount", root, point.toString());
            Files.write(point.resolve("file"), new byte[1 << 20]);
        } finally {
            server.destroyForcibly().waitFor();
        }
        assertThat(LinuxBindings.list())
                .anyMatch(info -> info.tag().equals(TAG)
                        && !info.alive()
                        && info.devices().contains(Path.of("/dev/mapper/platter-one-vg0-root")));
        ToolResult sync = ReferenceTools.run(null, List.of("sync", "-f", point.toString()), 60);
        if (format.equals("raw")) {
            assertThat(sync.exit()).isZero();
            assertThatThrownBy(LinuxBindings::releaseDead).hasMessageContaining("mounted on " + point);
            ReferenceTools.runOk("umount", point.toString());
        } else {
            assertThat(sync.exit()).isNotZero();
        }

        LinuxBindings.releaseDead();

        assertThat(MountTable.at(point)).isNull();
    }

    @ParameterizedTest
    @ValueSource(strings = {"raw", "qcow2"})
    void twoHundredRoundsLeaveNothing(String format) throws IOException {
        Path image = guest(format);
        String sum = sha256(image);
        try (ImageInspector guest = inspect(image, false)) {
            bind(guest, TAG, BindOptions.readOnly()).close();
            long files = KernelDevices.openFiles();
            int mounts = MountTable.read().size();
            for (int i = 0; i < ROUNDS; i++) {
                try (Binding binding = bind(guest, TAG, BindOptions.readOnly())) {
                    assertThat(binding.volumes()).hasSize(2);
                }
            }
            assertThat(KernelDevices.openFiles()).isLessThanOrEqualTo(files);
            assertThat(MountTable.read()).hasSizeLessThanOrEqualTo(mounts);
        }
        assertThat(sha256(image)).isEqualTo(sum);
    }
}
