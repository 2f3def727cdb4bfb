package dev.platter.linux;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.platter.core.BlockIOException;
import dev.platter.core.DiskImage;
import dev.platter.core.DiskImages;
import dev.platter.core.OpenOptions;
import dev.platter.testkit.ReferenceTools;
import dev.platter.testkit.TempImages;
import dev.platter.testkit.TestBytes;
import java.io.IOException;
import java.io.InputStream;
import java.nio.file.Files;
import java.nio.file.Path;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/** Bindings that go by the nbd driver and the device-mapper of a real kernel. */
@GuestTest
@Timeout(300)
class BindingsGuestTest {
    private static final String TAG = "test-of-nbd-bindings";
    private static final int SIZE = 4 << 20;

    @TempDir
    Path folder;

    @AfterEach
    void nothingIsLeft() throws IOException {
        assertThat(NbdDevice.list()).isEmpty();
        assertThat(DeviceMapper.list()).isEmpty();
        KernelDevices.assertNothingLeft(folder, TAG);
    }

    private DiskImage image() throws IOException {
        Path raw = TempImages.raw(folder, "disk.raw", TestBytes.of(0, SIZE));
        return DiskImages.open(raw, OpenOptions.builder().format("raw").build());
    }

    private static BindOptions nbd(TestCatalog catalog) {
        return BindOptions.readOnly()
                .tag(TAG)
                .as(BindOptions.Via.NBD)
                .catalog(catalog)
                .partitions()
                .volumes();
    }

    private static byte[] bytes(Path device) throws IOException {
        try (InputStream in = Files.newInputStream(device)) {
            return in.readAllBytes();
        }
    }

    @Test
    void diskPartitionsAndVolumesAreThereAndAreListed() throws IOException {
        try (DiskImage image = image()) {
            TestCatalog catalog = new TestCatalog(image, null)
                    .partition(1, 1 << 20, 65536, "ext4")
                    .volume("/dev/vg0/split", null, 2 << 20, 65536, 3 << 20, 4096);
            try (Binding binding = LinuxBindings.bind(image, nbd(catalog))) {
                assertThat(binding.device().toString()).matches("/dev/nbd\\d+");
                assertThat(bytes(binding.device())).isEqualTo(TestBytes.of(0, SIZE));
                assertThat(bytes(binding.partitions().get(0).path())).isEqualTo(TestBytes.of(1 << 20, 65536));
                assertThat(bytes(binding.volumes().get(0).path())).startsWith(TestBytes.of(2 << 20, 65536));
                assertThat(LinuxBindings.list())
                        .anyMatch(
                                info -> info.tag().equals(TAG) && info.devices().contains(binding.device()));
                assertThat(binding.isServed()).isTrue();
                assertThat(binding.isUsed()).isFalse();
            }
        }
    }

    @Test
    void deviceIsReleasedByItsTag() throws IOException {
        try (DiskImage image = image();
                Binding binding = LinuxBindings.bind(image, nbd(new TestCatalog(image, null)))) {
            LinuxBindings.release(TAG);

            assertThat(binding.isThere()).isFalse();
            assertThat(NbdDevice.list()).isEmpty();
        }
    }

    @Test
    void mountedDeviceIsUsedAndStays() throws IOException {
        ReferenceTools.assumeTool("mkfs.ext4");
        Path raw = TempImages.sparse(folder, "fs.raw", 32 << 20);
        ReferenceTools.runOk("mkfs.ext4", "-q", raw.toString());
        Path point = Files.createDirectory(folder.resolve("mnt"));
        try (DiskImage image =
                        DiskImages.open(raw, OpenOptions.builder().format("raw").build());
                Binding binding = LinuxBindings.bind(image, nbd(new TestCatalog(image, "ext4")))) {
            ReferenceTools.runOk("sh", "-c", binding.disk().mountCommand(point.toString()));
            assertThat(binding.isUsed()).isTrue();
            assertThatThrownBy(() -> LinuxBindings.release(TAG))
                    .isInstanceOfSatisfying(
                            BlockIOException.class, e -> assertThat(e.kind()).isEqualTo(BlockIOException.Kind.BUSY))
                    .hasMessageContaining("mounted on " + point);
            ReferenceTools.runOk("umount", point.toString());
        }
    }

    @Test
    void diskWithAPhysicalVolumeIsNotShownToTheHost() throws IOException {
        try (DiskImage image = image()) {
            TestCatalog catalog = new TestCatalog(image, null).partition(2, 1 << 20, 65536, "LVM2_member");

            assertThatThrownBy(() -> LinuxBindings.bind(image, nbd(catalog)))
                    .hasMessageContaining("/dev/sda2 holds LVM2_member")
                    .hasMessageContaining("or the disk as fuse");
        }
    }

    @Test
    void twoHundredRoundsLeaveNothing() throws IOException {
        try (DiskImage image = image()) {
            BindOptions options = nbd(new TestCatalog(image, null).partition(1, 1 << 20, 65536, "ext4"));
            LinuxBindings.bind(image, options).close();
            long files = KernelDevices.openFiles();
            int threads = Thread.getAllStackTraces().size();
            for (int i = 0; i < 200; i++) {
                LinuxBindings.bind(image, options).close();
            }
            assertThat(KernelDevices.openFiles()).isLessThanOrEqualTo(files);
            assertThat(Thread.getAllStackTraces()).hasSizeLessThanOrEqualTo(threads + 2);
        }
    }
}
