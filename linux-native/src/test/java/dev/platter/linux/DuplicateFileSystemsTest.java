package dev.platter.linux;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatCode;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.platter.core.BlockDevice;
import dev.platter.core.BlockDevices;
import dev.platter.core.BlockIOException;
import dev.platter.core.DeviceCatalog;
import dev.platter.testkit.LoopDevice;
import dev.platter.testkit.ReferenceTools;
import dev.platter.testkit.TempImages;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Set;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class DuplicateFileSystemsTest {
    private static final String UUID = "11111111-2222-3333-4444-555555555555";
    private static final DeviceCatalog NOTHING = catalog(ByteBuffer.allocate(512));

    @TempDir
    @SuppressWarnings("NullAway.Init") // by JUnit
    private Path folder;

    private final List<String> notes = new ArrayList<>();

    private static DeviceCatalog.Entry entry(String content, @Nullable String uuid, @Nullable String label) {
        return new DeviceCatalog.Entry("/dev/sda1", 512, DeviceCatalog.Kind.PARTITION, null, content, uuid, label);
    }

    /** What has these bytes in its only partition. */
    private static DeviceCatalog catalog(ByteBuffer bytes) {
        BlockDevice disk = BlockDevices.ofBytes("disk", bytes);
        return new TestCatalog(disk, null).partition(1, 0, disk.size(), null);
    }

    private DuplicateFileSystems check(boolean writable, HostFileSystems.Known... known) {
        return new DuplicateFileSystems(
                new HostFileSystems(List.of(known)), writable, false, Set.of(), null, notes::add);
    }

    private DuplicateFileSystems allowing(HostFileSystems.Known... known) {
        return new DuplicateFileSystems(new HostFileSystems(List.of(known)), true, true, Set.of(), null, notes::add);
    }

    private static HostFileSystems.Known mounted(String uuid) {
        return new HostFileSystems.Known(uuid, null, null);
    }

    @Test
    void uuidOfTheHostIsRefusedToWrite() {
        assertThatThrownBy(() -> check(true, mounted(UUID)).check(entry("btrfs", UUID, null), NOTHING))
                .isInstanceOfSatisfying(
                        BlockIOException.class,
                        e -> assertThat(e.kind()).isEqualTo(BlockIOException.Kind.NOT_SUPPORTED))
                .hasMessageContaining(
                        "/dev/sda1: holds btrfs with the UUID " + UUID + ", which this system has mounted")
                .hasMessageContaining("bind it read-only");
    }

    @Test
    void uuidOfTheHostIsSaidWhenReadOnly() throws IOException {
        check(false, mounted(UUID)).check(entry("btrfs", UUID, null), NOTHING);

        assertThat(notes)
                .singleElement()
                .asString()
                .contains("name it by its device")
                .contains("do not mount it while the other one is mounted");
    }

    @Test
    void anotherUuidIsNoMatter() throws IOException {
        check(true, mounted(UUID.replace('1', '9'))).check(entry("ext4", UUID, null), NOTHING);
        check(true, mounted(UUID)).check(entry("ext4", null, null), NOTHING);

        assertThat(notes).isEmpty();
    }

    @Test
    void labelOfTheHostIsRefusedToWriteAndSaidWhenReadOnly() throws IOException {
        HostFileSystems.Known host = new HostFileSystems.Known(null, "my root", null);
        DeviceCatalog.Entry entry = entry("ext4", UUID, "my root");

        check(false, host).check(entry, NOTHING);

        assertThat(notes).singleElement().asString().contains("has the label \"my root\", which this system has");
        assertThatThrownBy(() -> check(true, host).check(entry, NOTHING))
                .hasMessageContaining("has the label \"my root\", which this system has")
                .hasMessageContaining("bind it read-only, or allow duplicates");
    }

    @Test
    void duplicateThatIsAllowedIsSaid() throws IOException {
        allowing(mounted(UUID)).check(entry("ext4", UUID, null), NOTHING);

        assertThat(notes).singleElement().asString().contains("with the UUID " + UUID);
    }

    @Test
    void secondBtrfsOfOneUuidIsNeverAllowedToBeWritten() {
        assertThatThrownBy(() -> allowing(mounted(UUID)).check(entry("btrfs", UUID, null), NOTHING))
                .hasMessageContaining("the two would be taken for one");
    }

    @Test
    void deviceThatIsGoneIsNoMatter() {
        HostFileSystems.Known gone = new HostFileSystems.Known(UUID, null, Path.of("/dev/loop9999"));

        assertThatCode(() -> check(true, gone).check(entry("ext4", UUID, null), NOTHING))
                .doesNotThrowAnyException();
    }

    /** Copies of one guest are bound at once, and mounted; two of one btrfs cannot be. */
    @ParameterizedTest
    @ValueSource(strings = {"ext4", "btrfs"})
    void copyOfABoundGuestIsRefusedForBtrfsOnly(String type) throws IOException {
        Path raw = TempImages.sparse(folder, "disk.raw", 1 << 20);
        try (LoopDevice loop = LoopDevice.attach(raw)) {
            HostFileSystems.Known other = new HostFileSystems.Known(UUID, null, loop.path());
            DuplicateFileSystems duplicates = new DuplicateFileSystems(
                    new HostFileSystems(List.of(other)), true, false, Set.of(loop.path()), null, notes::add);
            if (type.equals("btrfs")) {
                assertThatThrownBy(() -> duplicates.check(entry(type, UUID, null), NOTHING))
                        .hasMessageContaining("which this system has on " + loop.path());
            } else {
                duplicates.check(entry(type, UUID, null), NOTHING);
            }
            // as a device of this system
            assertThatThrownBy(() -> check(true, other).check(entry(type, UUID, null), NOTHING))
                    .hasMessageContaining("on " + loop.path());
        }
    }

    @Test
    void deviceOfTheHostThatIsItselfBoundIsNoTwin() throws IOException {
        Path raw = TempImages.sparse(folder, "disk.raw", 1 << 20);
        try (LoopDevice loop = LoopDevice.attach(raw)) {
            HostFileSystems host = new HostFileSystems(List.of(new HostFileSystems.Known(UUID, null, loop.path())));
            DuplicateFileSystems duplicates =
                    new DuplicateFileSystems(host, true, false, Set.of(), loop.path(), notes::add);

            assertThatCode(() -> duplicates.check(entry("ext4", UUID, null), NOTHING))
                    .doesNotThrowAnyException();
        }
    }

    @Test
    void oneOfSeveralDevicesOfABtrfsIsRefusedToWrite() throws IOException {
        ReferenceTools.assumeTool("mkfs.btrfs");
        Path one = TempImages.sparse(folder, "one.raw", 128 << 20);
        Path two = TempImages.sparse(folder, "two.raw", 128 << 20);
        ReferenceTools.runOk("mkfs.btrfs", "-q", "-d", "single", "-m", "raid1", one.toString(), two.toString());
        DeviceCatalog catalog = catalog(head(one));
        assertThatThrownBy(() -> check(true).check(entry("btrfs", UUID, null), catalog))
                .hasMessageContaining("/dev/sda1: is one of 2 devices of a btrfs");
        assertThatCode(() -> check(false).check(entry("btrfs", UUID, null), catalog))
                .doesNotThrowAnyException();
    }

    private static ByteBuffer head(Path file) throws IOException {
        try (var in = Files.newInputStream(file)) {
            return ByteBuffer.wrap(in.readNBytes(1 << 20));
        }
    }

    @Test
    void linksOfUdevAndTheListOfBtrfsAreRead() throws IOException {
        Path links = Files.createDirectories(folder.resolve("disk"));
        Path device = Files.createFile(folder.resolve("sda1"));
        Files.createDirectories(links.resolve("by-uuid"));
        Files.createDirectories(links.resolve("by-label"));
        Files.createSymbolicLink(links.resolve("by-uuid").resolve("1234-ABCD"), device);
        Files.createSymbolicLink(links.resolve("by-label").resolve("my\\x20root"), device);
        Path btrfs = Files.createDirectories(folder.resolve("btrfs"));
        Files.createDirectories(btrfs.resolve("features"));
        Files.createDirectories(btrfs.resolve(UUID));

        HostFileSystems host = HostFileSystems.read(links, btrfs, List.of());

        assertThat(host.ofUuid("1234-abcd")).hasSize(1);
        assertThat(host.ofLabel("my root")).hasSize(1);
        assertThat(host.ofUuid(UUID)).containsExactly(mounted(UUID));
        assertThat(host.ofUuid("features")).isEmpty();
    }

    @ParameterizedTest
    @ValueSource(strings = {"ext4", "xfs"})
    void withoutUdevWhatIsMountedIsRead(String type) throws IOException {
        ReferenceTools.assumeTool("mkfs." + type);
        Path raw = TempImages.sparse(folder, "disk.raw", 320 << 20);
        ReferenceTools.runOk("mkfs." + type, "-q", raw.toString());
        ReferenceTools.runOk(type.equals("xfs") ? "xfs_admin" : "tune2fs", "-U", UUID, raw.toString());
        try (LoopDevice loop = LoopDevice.attach(raw)) {
            MountTable.Mount mount =
                    new MountTable.Mount(7, 0, "/mnt", type, loop.path().toString());

            HostFileSystems host = HostFileSystems.read(folder, folder, List.of(mount));

            assertThat(host.ofUuid(UUID))
                    .singleElement()
                    .satisfies(known -> assertThat(known.device()).isEqualTo(loop.path()));
        }
    }
}
