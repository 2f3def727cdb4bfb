package dev.platter.linux;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.platter.core.BlockDevice;
import dev.platter.core.BlockDevices;
import dev.platter.core.BlockIOException;
import dev.platter.core.DiskImage;
import dev.platter.core.DiskImages;
import dev.platter.core.Durability;
import dev.platter.core.ForwardingDevice;
import dev.platter.core.OpenOptions;
import dev.platter.core.ReadOnlyDeviceException;
import dev.platter.testkit.ReferenceTools;
import dev.platter.testkit.TempImages;
import dev.platter.testkit.TestBytes;
import java.io.IOException;
import java.io.InputStream;
import java.nio.ByteBuffer;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.ValueSource;

class LinuxBindingsTest {
    private static final String TAG = "test-of-bindings";
    private static final String OTHER = "test-of-bindings-2";
    private static final int SIZE = 4 << 20;
    private static final int RACES = 15;

    @TempDir
    @SuppressWarnings("NullAway.Init") // by JUnit
    private Path folder;

    @BeforeEach
    void assumeFuse() throws IOException {
        KernelDevices.assumeFuse();
    }

    @AfterEach
    void nothingIsLeft() throws IOException {
        KernelDevices.assertNothingLeft(folder, TAG, OTHER);
    }

    private static DiskImage open(Path file, boolean writable) throws IOException {
        String format = file.toString().endsWith("qcow2") ? "qcow2" : "raw";
        return DiskImages.open(
                file, OpenOptions.builder().format(format).writable(writable).build());
    }

    private Path raw() throws IOException {
        return TempImages.raw(folder, "disk.raw", TestBytes.of(0, SIZE));
    }

    private static byte[] bytes(Path device) throws IOException {
        try (InputStream in = Files.newInputStream(device)) {
            return in.readAllBytes();
        }
    }

    /** Made by the file system's own program, then written, trimmed, checked, and read again. */
    @ParameterizedTest
    @CsvSource({"ext4, raw", "ext4, qcow2", "xfs, raw", "xfs, qcow2", "btrfs, raw", "btrfs, qcow2"})
    void fileSystemIsMountedToWriteAndToRead(String type, String format) throws IOException {
        ReferenceTools.assumeTool("mkfs." + type);
        Path raw = TempImages.sparse(folder, "disk.raw", 320 << 20);
        ReferenceTools.runOk("mkfs." + type, "-q", raw.toString());
        Path file = format.equals("raw") ? raw : TempImages.qemuConvert(raw, "disk.qcow2", format);
        Path point = Files.createDirectory(folder.resolve("mnt"));

        try (DiskImage image = open(file, true);
                Binding binding =
                        LinuxBindings.bind(image, BindOptions.writable().tag(TAG))) {
            mount(new BoundDevice("disk", binding.device(), 0, type, false), point);
            try {
                Files.write(point.resolve("kept"), TestBytes.of(0, 5 << 20));
                Files.write(point.resolve("gone"), TestBytes.of(0, 9 << 20));
                ReferenceTools.runOk("sync", "-f", point.toString());
                Files.delete(point.resolve("gone"));
                ReferenceTools.runOk("sync", "-f", point.toString());
                ReferenceTools.runOk("fstrim", point.toString());
                assertThat(Files.readAllBytes(point.resolve("kept"))).isEqualTo(TestBytes.of(0, 5 << 20));
            } finally {
                ReferenceTools.runOk("umount", point.toString());
            }
        }
        if (format.equals("qcow2")) {
            ReferenceTools.runOk("qemu-img", "check", file.toString());
        }
        try (DiskImage image = open(file, false);
                Binding binding =
                        LinuxBindings.bind(image, BindOptions.readOnly().tag(TAG))) {
            mount(new BoundDevice("disk", binding.device(), 0, type, true), point);
            try {
                assertThat(Files.readAllBytes(point.resolve("kept"))).isEqualTo(TestBytes.of(0, 5 << 20));
                assertThat(point.resolve("gone")).doesNotExist();
                assertThatThrownBy(() -> Files.createFile(point.resolve("new")))
                        .hasMessageContaining("Read-only file system");
            } finally {
                ReferenceTools.runOk("umount", point.toString());
            }
        }
    }

    private static void mount(BoundDevice device, Path point) throws IOException {
        String content = device.content();
        assertThat(content).isNotNull();
        ReferenceTools.runOk(
                "mount",
                "-t",
                String.valueOf(content),
                "-o",
                device.mountOptions(),
                device.path().toString(),
                point.toString());
    }

    @ParameterizedTest
    @EnumSource(names = {"AUTO", "LOOP", "FUSE"})
    void rawImageHasItsBytesWhateverWayItGoes(BindOptions.Via via) throws IOException {
        try (DiskImage image = open(raw(), false);
                Binding binding =
                        LinuxBindings.bind(image, BindOptions.readOnly().as(via).tag(TAG))) {
            assertThat(bytes(binding.device())).isEqualTo(TestBytes.of(0, SIZE));
            assertThat(binding.isThere()).isTrue();
            assertThat(KernelDevices.statusOf(binding.device()).backingFile().startsWith(RunFolder.DEFAULT.toString()))
                    .isEqualTo(via == BindOptions.Via.FUSE);
        }
    }

    @Test
    void partOfARawImageIsBoundAsThatPieceOfTheFile() throws IOException {
        try (DiskImage image = open(raw(), false);
                BlockDevice part = BlockDevices.slice(image, "part", 1 << 20, 65536);
                BlockDevice inside = BlockDevices.readOnly(BlockDevices.slice(part, "inside", 4096, 8192));
                Binding binding =
                        LinuxBindings.bind(inside, BindOptions.readOnly().tag(TAG))) {
            assertThat(bytes(binding.device())).isEqualTo(TestBytes.of((1 << 20) + 4096, 8192));
            assertThat(KernelDevices.statusOf(binding.device()).offset()).isEqualTo((1 << 20) + 4096);
            assertThat(binding.isServed()).isFalse();
        }
    }

    @Test
    void partsInAnotherOrderAreServed() throws IOException {
        try (DiskImage image = open(raw(), false);
                BlockDevice shuffled = BlockDevices.concat(
                        "shuffled",
                        List.of(
                                BlockDevices.slice(image, "second", 8192, 4096),
                                BlockDevices.slice(image, "first", 4096, 4096)));
                Binding binding =
                        LinuxBindings.bind(shuffled, BindOptions.readOnly().tag(TAG))) {
            assertThat(bytes(binding.device())).startsWith(TestBytes.of(8192, 4096));
            assertThat(bytes(binding.device())).endsWith(TestBytes.of(4096, 4096));
            assertThat(binding.isServed()).isTrue();
        }
    }

    @Test
    void deviceThatIsLeftGoesAwayWithItsLastUser() throws IOException {
        try (DiskImage image = open(raw(), false)) {
            BindOptions options = BindOptions.readOnly().tag(TAG).autoclear();
            Binding binding = LinuxBindings.bind(image, options);
            try (Descriptor user = Descriptor.open(binding.device(), LibC.O_RDONLY)) {
                binding.leave();
                assertThat(user.number()).isNotNegative();
                assertThat(LinuxBindings.list()).noneMatch(info -> info.tag().equals(TAG));
                assertThat(KernelDevices.statusOf(binding.device()).autoclear()).isTrue();
            }
        }
    }

    @Test
    void servedDeviceThatIsLeftIsClosedWhenItIsGone() throws IOException {
        try (DiskImage image = open(raw(), false)) {
            BindOptions options =
                    BindOptions.readOnly().tag(TAG).as(BindOptions.Via.FUSE).autoclear();
            try (Binding binding = LinuxBindings.bind(image, options)) {
                assertThat(binding.isUsed()).isFalse();
                binding.leave();
                Waiting.until(() -> !binding.isThere(), 10_000);
                assertThat(binding.isThere()).isFalse();
                assertThat(LinuxBindings.list()).anyMatch(info -> info.tag().equals(TAG));
            }
        }
    }

    @Test
    void partitionsGetNodesButNotThoseThatTheHostWouldTake() throws IOException {
        try (DiskImage image = open(raw(), false)) {
            TestCatalog catalog = new TestCatalog(image, null)
                    .partition(1, 4096, 8192, "ext4")
                    .container(2, 1 << 20, 1 << 20)
                    .partition(3, 16384, 8192, "LVM2_member")
                    .partition(4, 65536, 4096, "linux_raid_member")
                    .partition(5, (1 << 20) + 4096, 8192, null);
            BindOptions options =
                    BindOptions.readOnly().tag(TAG).catalog(catalog).partitions();
            try (Binding binding = LinuxBindings.bind(image, options)) {
                assertThat(binding.partitions())
                        .extracting(BoundDevice::name)
                        .containsExactly("/dev/sda1", "/dev/sda5");
                assertThat(bytes(binding.partitions().get(0).path())).isEqualTo(TestBytes.of(4096, 8192));
                assertThat(bytes(binding.partitions().get(1).path())).isEqualTo(TestBytes.of((1 << 20) + 4096, 8192));
                assertThat(binding.notes())
                        .hasSize(2)
                        .anyMatch(note -> note.startsWith("/dev/sda3: gets no device: it holds LVM2_member"));
                assertThat(SysBlock.partitions(binding.device())).hasSize(2);
                assertThat(KernelDevices.statusOf(binding.device()).partitionScan())
                        .isFalse();
                assertThat(binding.partitions().get(0).mountCommand("/mnt"))
                        .isEqualTo("mount -o ro,nosuid,nodev,noexec,noload " + binding.device() + "p1 /mnt");
            }
        }
    }

    @Test
    void kernelScansWhereNoPartitionHasToBeHidden() throws IOException {
        try (DiskImage image = open(raw(), false)) {
            TestCatalog catalog = new TestCatalog(image, null).partition(1, 4096, 8192, "ext4");
            try (Binding binding = LinuxBindings.bind(
                    image, BindOptions.readOnly().tag(TAG).catalog(catalog).partitions())) {
                assertThat(KernelDevices.statusOf(binding.device()).partitionScan())
                        .isTrue();
            }
        }
    }

    @Test
    void volumesAreDevicesOfTheirOwn() throws IOException {
        try (DiskImage image = open(raw(), false)) {
            TestCatalog catalog = new TestCatalog(image, null)
                    .partition(1, 4096, SIZE - 4096, "LVM2_member")
                    .volume("/dev/vg0/plain", "ext4", 1 << 20, 65536)
                    .volume("/dev/vg0/split", null, 2 << 20, 65536, 1 << 19, 4096);
            try (Binding binding = LinuxBindings.bind(
                    image, BindOptions.readOnly().tag(TAG).catalog(catalog).volumes())) {
                List<BoundDevice> volumes = binding.volumes();
                assertThat(volumes).extracting(BoundDevice::name).containsExactly("/dev/vg0/plain", "/dev/vg0/split");
                assertThat(bytes(volumes.get(0).path())).isEqualTo(TestBytes.of(1 << 20, 65536));
                byte[] split = bytes(volumes.get(1).path());
                assertThat(split).hasSize(65536 + 4096).startsWith(TestBytes.of(2 << 20, 65536));
                assertThat(split).endsWith(TestBytes.of(1 << 19, 4096));
                if (!volumes.get(0).path().startsWith("/dev/mapper")) {
                    assertThat(KernelDevices.statusOf(volumes.get(0).path()).backingFile())
                            .isEqualTo(binding.device().toString());
                }
                assertThat(binding.partitions()).isEmpty();
            }
        }
    }

    @Test
    void barePhysicalVolumeIsBoundBehindItsLabel() throws IOException {
        try (DiskImage image = open(raw(), true)) {
            TestCatalog catalog = new TestCatalog(image, "LVM2_member").volume("/dev/vg0/root", null, 1 << 20, 65536);
            try (Binding binding = LinuxBindings.bind(
                    image, BindOptions.writable().tag(TAG).catalog(catalog).volumes())) {
                assertThat(bytes(binding.device())).isEqualTo(TestBytes.of(4096, SIZE - 4096));
                assertThat(bytes(binding.volumes().get(0).path())).isEqualTo(TestBytes.of(1 << 20, 65536));
                assertThat(binding.notes()).hasSize(1);
            }
        }
    }

    @Test
    void bareMemberOfARaidIsBoundToReadOnly() throws IOException {
        try (DiskImage image = open(raw(), true)) {
            TestCatalog catalog = new TestCatalog(image, "linux_raid_member");
            assertThatThrownBy(() -> LinuxBindings.bind(
                            image, BindOptions.writable().tag(TAG).catalog(catalog)))
                    .hasMessageContaining("holds linux_raid_member");
        }
    }

    @Test
    void copyOfAMountedFileSystemIsBoundReadOnlyOnly() throws IOException {
        ReferenceTools.assumeTool("mkfs.ext4");
        String uuid = java.util.UUID.randomUUID().toString();
        Path raw = TempImages.sparse(folder, "disk.raw", 16 << 20);
        ReferenceTools.runOk("mkfs.ext4", "-q", "-U", uuid, "-E", "offset=1048576", raw.toString(), "8M");
        Path own = TempImages.sparse(folder, "own.raw", 16 << 20);
        ReferenceTools.runOk("mkfs.ext4", "-q", "-U", uuid, own.toString());
        Path point = Files.createDirectory(folder.resolve("mnt"));
        ReferenceTools.runOk("mount", "-o", "loop,ro", own.toString(), point.toString());
        try (DiskImage image = open(raw, true)) {
            TestCatalog catalog = new TestCatalog(image, null).partition(1, 1 << 20, 8 << 20, "ext4", uuid);
            BindOptions writable = BindOptions.writable().tag(TAG).catalog(catalog);

            assertThatThrownBy(() -> LinuxBindings.bind(image, writable.partitions()))
                    .hasMessageContaining("/dev/sda1: holds ext4 with the UUID " + uuid)
                    .hasNoSuppressedExceptions();

            LinuxBindings.bind(image, writable).close();
            try (Binding binding = LinuxBindings.bind(
                    image, BindOptions.readOnly().tag(TAG).catalog(catalog).partitions())) {
                assertThat(binding.notes()).singleElement().asString().contains("name it by its device");
            }
        } finally {
            ReferenceTools.runOk("umount", point.toString());
        }
    }

    @Test
    void failureHalfWayLeavesNothing() throws IOException {
        try (DiskImage image = open(raw(), false)) {
            TestCatalog catalog = new TestCatalog(image, null)
                    .partition(1, 4096, 8192, "ext4")
                    .partition(2, SIZE, 8192, "ext4");
            BindOptions options = BindOptions.readOnly()
                    .tag(TAG)
                    .as(BindOptions.Via.FUSE)
                    .catalog(catalog)
                    .partitions();

            assertThatThrownBy(() -> LinuxBindings.bind(image, options))
                    .isInstanceOf(BlockIOException.class)
                    .hasMessageContaining("the kernel takes no partition from 4194304")
                    .hasNoSuppressedExceptions();
        }
    }

    @Test
    void failureOfAVolumeUndoesTheDisk() throws IOException {
        try (DiskImage image = open(raw(), false)) {
            TestCatalog catalog = new TestCatalog(image, null).volume("/dev/vg0/odd", null, 4096, 1000, 8192, 100);
            BindOptions options =
                    BindOptions.readOnly().tag(TAG).catalog(catalog).volumes();

            assertThatThrownBy(() -> LinuxBindings.bind(image, options))
                    .hasMessageContaining("is no multiple of 512")
                    .hasNoSuppressedExceptions();
        }
    }

    @Test
    void bindingThatIsInUseStaysWholeAndSaysWho() throws IOException {
        ReferenceTools.assumeTool("mkfs.ext4");
        Path raw = TempImages.sparse(folder, "disk.raw", 16 << 20);
        ReferenceTools.runOk("mkfs.ext4", "-q", "-E", "offset=1048576", raw.toString(), "8M");
        Path point = Files.createDirectory(folder.resolve("mnt"));
        try (DiskImage image = open(raw, true)) {
            TestCatalog catalog = new TestCatalog(image, null).partition(1, 1 << 20, 8 << 20, "ext4");
            BindOptions options = BindOptions.writable()
                    .tag(TAG)
                    .as(BindOptions.Via.FUSE)
                    .catalog(catalog)
                    .partitions();
            try (Binding binding = LinuxBindings.bind(image, options)) {
                mount(binding.partitions().get(0), point);
                try {
                    assertThatThrownBy(binding::close)
                            .isInstanceOfSatisfying(
                                    BlockIOException.class,
                                    e -> assertThat(e.kind()).isEqualTo(BlockIOException.Kind.BUSY))
                            .hasMessageContaining("mounted on " + point);
                    assertThatThrownBy(() -> LinuxBindings.release(TAG)).hasMessageContaining("mounted on " + point);
                    assertThat(binding.isThere()).isTrue();
                    Files.write(point.resolve("file"), new byte[1000]);
                } finally {
                    ReferenceTools.runOk("umount", point.toString());
                }
            }
        }
    }

    @Test
    void bindingsAreListedAndReleasedByTag() throws IOException {
        try (DiskImage image = open(raw(), false)) {
            Binding binding =
                    LinuxBindings.bind(image, BindOptions.readOnly().tag(TAG).as(BindOptions.Via.FUSE));
            assertThat(LinuxBindings.list()).anySatisfy(info -> {
                assertThat(info.tag()).isEqualTo(TAG);
                assertThat(info.image()).endsWith("disk.raw");
                assertThat(info.devices()).containsExactly(binding.device());
                assertThat(info.process()).isEqualTo(ProcessHandle.current().pid());
                assertThat(info.alive()).isTrue();
            });

            LinuxBindings.release(TAG);

            assertThat(binding.isThere()).isFalse();
            assertThat(LinuxBindings.list()).noneMatch(info -> info.tag().equals(TAG));
            binding.close();
        }
        assertThatThrownBy(() -> LinuxBindings.release(TAG)).hasMessageContaining("nothing is bound by this tag");
    }

    /** A medium that takes nothing beyond its first MiB, or cannot be flushed. */
    private static BlockDevice failing(boolean whenWritten) {
        return new ForwardingDevice(BlockDevices.ofBytes("web.qcow2", ByteBuffer.allocateDirect(SIZE))) {
            @Override
            public void write(long offset, ByteBuffer from, Durability durability) throws IOException {
                if (whenWritten && offset >= 1 << 20) {
                    throw new BlockIOException(BlockIOException.Kind.NO_SPACE, "web.qcow2: write: no room", null);
                }
                super.write(offset, from, durability);
            }

            @Override
            public void flush() throws IOException {
                if (!whenWritten) {
                    throw new BlockIOException(BlockIOException.Kind.IO, "web.qcow2: flush: bad medium", null);
                }
            }
        };
    }

    @ParameterizedTest
    @CsvSource({"true, no room", "false, bad medium"})
    void whatCouldNotBeStoredIsToldAtTheEndWithTheNameOfTheImage(boolean whenWritten, String reason)
            throws IOException {
        Binding binding =
                LinuxBindings.bind(failing(whenWritten), BindOptions.writable().tag(TAG));
        // in the cache of the kernel
        ReferenceTools.runOk("dd", "if=/dev/zero", "of=" + binding.device(), "bs=64k", "count=1", "seek=20");

        assertThatThrownBy(binding::close)
                .isInstanceOf(BlockIOException.class)
                .hasMessageStartingWith("web.qcow2: what was written may not all be stored: ")
                .hasMessageContaining(reason);

        assertThat(binding.isThere()).isFalse();
        binding.close();
    }

    @Test
    void failureOfADeviceThatNobodyWritesToIsNoLoss() throws IOException {
        LinuxBindings.bind(failing(false), BindOptions.readOnly().tag(TAG)).close();
    }

    @Test
    void wordThatIsLeftOfALossIsListedUntilItIsReleased() throws IOException {
        Binding binding =
                LinuxBindings.bind(failing(true), BindOptions.writable().tag(TAG));
        LinuxBindings.release(TAG);
        binding.close();

        binding.leaveWord(new IOException("web.qcow2: no\nroom"));

        assertThat(LinuxBindings.list())
                .filteredOn(info -> info.tag().equals(TAG + "-loss"))
                .singleElement()
                .satisfies(info -> {
                    assertThat(info.loss()).isEqualTo("web.qcow2: no\\x0aroom");
                    assertThat(info.image()).isEqualTo("web.qcow2");
                    assertThat(info.devices()).isEmpty();
                });
        assertThatThrownBy(() -> LinuxBindings.release(TAG + "-loss")).hasMessage("web.qcow2: no\\x0aroom");
        KernelDevices.assertNothingLeft(folder, TAG, TAG + "-loss");
    }

    @Test
    void deviceThatWasBoundButNotNotedIsReleased() throws IOException {
        Path run = RunFolder.open(RunFolder.DEFAULT).make(TAG);
        BindingJournal.begin(run, "image");
        Path file = Files.write(run.resolve("disk"), TestBytes.of(0, 4096));
        Path device = LoopDevice.attach(file, LoopOptions.ofReadOnly()).path();
        assertThat(LinuxBindings.list())
                .anySatisfy(info -> assertThat(info.devices()).containsExactly(device));

        LinuxBindings.release(TAG);
    }

    @Test
    void whatCannotBeBoundIsRefusedWithTheReason() throws IOException {
        Path raw = raw();
        BlockDevice odd = BlockDevices.ofBytes("odd", ByteBuffer.allocate(1000));
        BlockDevice memory = BlockDevices.ofBytes("memory", ByteBuffer.allocate(1024));
        assertThatThrownBy(() -> LinuxBindings.bind(odd, BindOptions.readOnly()))
                .hasMessageContaining("odd: has 1000 bytes");
        assertThatThrownBy(() -> LinuxBindings.bind(
                        memory, BindOptions.readOnly().tag(TAG).as(BindOptions.Via.LOOP)))
                .hasMessageContaining("memory: a loop device stands on a raw file");
        try (DiskImage image = open(raw, false)) {
            assertThatThrownBy(() -> LinuxBindings.bind(image, BindOptions.writable()))
                    .isInstanceOf(ReadOnlyDeviceException.class);
            assertThatThrownBy(() ->
                            LinuxBindings.bind(image, BindOptions.readOnly().partitions()))
                    .isInstanceOf(IllegalArgumentException.class);
        }
        try (DiskImage image = open(raw, true);
                Binding binding =
                        LinuxBindings.bind(image, BindOptions.writable().tag(TAG))) {
            assertThatThrownBy(() -> LinuxBindings.bind(image, BindOptions.readOnly()))
                    .hasMessageContaining("is bound to " + binding.device() + " already, for writing");
            assertThatThrownBy(() ->
                            LinuxBindings.bind(memory, BindOptions.readOnly().tag(TAG)))
                    .hasMessageContaining("the tag " + TAG + " is in use");
        }
        assertThatThrownBy(() -> BindOptions.readOnly().tag("../x")).isInstanceOf(IllegalArgumentException.class);
    }

    @ParameterizedTest
    @ValueSource(strings = {"raw", "qcow2"})
    void ofTwoThreadsThatBindOneImageToWriteOneGetsIt(String format) throws Exception {
        Path raw = raw();
        Path file = format.equals("raw") ? raw : TempImages.qemuConvert(raw, "disk.qcow2", format);
        try (DiskImage image = open(file, true)) {
            for (int i = 0; i < RACES; i++) {
                Races.Outcome<Binding> outcome =
                        Races.of(() -> bindToWrite(image, TAG), () -> bindToWrite(image, OTHER));
                for (Binding binding : outcome.results()) {
                    binding.close();
                }
                assertThat(outcome.failures())
                        .singleElement()
                        .satisfies(e -> assertThat(e)
                                .isInstanceOfSatisfying(
                                        BlockIOException.class,
                                        busy -> assertThat(busy.kind()).isEqualTo(BlockIOException.Kind.BUSY))
                                .hasMessageContaining("is bound")
                                .hasNoSuppressedExceptions());
                KernelDevices.assertNothingLeft(folder, TAG, OTHER);
            }
        }
    }

    private static Binding bindToWrite(DiskImage image, String tag) throws IOException {
        return LinuxBindings.bind(image, BindOptions.writable().tag(tag));
    }

    @Test
    void imageThatIsServedIsNotBoundAgainInAnotherWay() throws IOException {
        try (DiskImage image = open(raw(), true);
                Binding binding = LinuxBindings.bind(
                        image, BindOptions.writable().as(BindOptions.Via.FUSE).tag(TAG))) {
            assertThatThrownBy(() -> LinuxBindings.bind(
                            image,
                            BindOptions.readOnly().as(BindOptions.Via.LOOP).tag(OTHER)))
                    .hasMessageContaining("is bound by this process already, for writing")
                    .hasNoSuppressedExceptions();
            assertThat(binding.isThere()).isTrue();
        }
    }

    @Test
    void twoBindingsOfOneNameGetTagsOfTheirOwn() throws IOException {
        try (DiskImage image = open(raw(), false);
                Binding first = LinuxBindings.bind(image, BindOptions.readOnly());
                Binding second = LinuxBindings.bind(image, BindOptions.readOnly())) {
            assertThat(first.tag()).startsWith("disk");
            assertThat(second.tag()).startsWith("disk").isNotEqualTo(first.tag());
            assertThat(second.device()).isNotEqualTo(first.device());
        }
    }

    @Test
    void roundsLeaveNoDescriptorAndNoThreadBehind() throws IOException {
        try (DiskImage image = open(raw(), false)) {
            BindOptions options = BindOptions.readOnly().tag(TAG).as(BindOptions.Via.FUSE);
            LinuxBindings.bind(image, options).close();
            long before = KernelDevices.openFiles();
            for (int i = 0; i < 20; i++) {
                LinuxBindings.bind(image, options).close();
            }
            assertThat(KernelDevices.openFiles()).isLessThanOrEqualTo(before);
            assertNoThreadIsLeft();
        }
    }

    private static void assertNoThreadIsLeft() {
        assertThat(Thread.getAllStackTraces().keySet())
                .extracting(Thread::getName)
                .noneMatch(name -> name.startsWith("fuse "));
    }

    /** With partitions and volumes, one of them in one piece and one in two. */
    @ParameterizedTest
    @EnumSource(names = {"LOOP", "FUSE"})
    @Tag("long")
    void twoHundredRoundsLeaveNothing(BindOptions.Via via) throws IOException {
        try (DiskImage image = open(raw(), false)) {
            TestCatalog catalog = new TestCatalog(image, null)
                    .partition(1, 4096, 8192, "ext4")
                    .partition(2, 1 << 20, 3 << 20, "LVM2_member")
                    .volume("/dev/vg0/plain", "ext4", 2 << 20, 65536);
            if (via == BindOptions.Via.FUSE) {
                catalog.volume("/dev/vg0/split", null, 3 << 20, 65536, 2 << 20, 4096);
            }
            BindOptions options = BindOptions.readOnly()
                    .tag(TAG)
                    .as(via)
                    .timeout(Duration.ofSeconds(60))
                    .catalog(catalog)
                    .partitions()
                    .volumes();
            LinuxBindings.bind(image, options).close();
            long before = KernelDevices.openFiles();
            int mounts = MountTable.read().size();
            for (int i = 0; i < 200; i++) {
                LinuxBindings.bind(image, options).close();
            }
            assertThat(KernelDevices.openFiles()).isLessThanOrEqualTo(before);
            assertThat(MountTable.read()).hasSizeLessThanOrEqualTo(mounts);
            assertNoThreadIsLeft();
        }
    }

    @Test
    void deviceWithLargeSectorsKeepsThem() throws IOException {
        BlockDevice memory = BlockDevices.ofBytes("memory", ByteBuffer.allocateDirect(SIZE));
        BlockDevice large = new dev.platter.core.ForwardingDevice(memory) {
            @Override
            public dev.platter.core.Features features() {
                return super.features().withLogicalSectorSize(4096);
            }
        };
        try (Binding binding = LinuxBindings.bind(large, BindOptions.readOnly().tag(TAG))) {
            assertThat(SysBlock.number(SysBlock.of(binding.device()).resolve("queue/logical_block_size"), 0))
                    .isEqualTo(4096);
        }
    }
}
