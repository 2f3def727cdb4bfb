package dev.platter.inspect;

import static dev.platter.inspect.GuestBytes.uuid;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import dev.platter.core.BlockDevice;
import dev.platter.core.BlockIOException;
import dev.platter.core.DiskImage;
import dev.platter.core.DiskImageException;
import dev.platter.core.DiskImages;
import dev.platter.core.Extent;
import dev.platter.core.Extents;
import dev.platter.core.OpenOptions;
import dev.platter.core.ReferencePolicy;
import dev.platter.core.Storages;
import dev.platter.testkit.Contents;
import dev.platter.testkit.Faults;
import dev.platter.testkit.FaultyStorage;
import dev.platter.testkit.TempImages;
import dev.platter.testkit.TestBytes;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.ClosedByInterruptException;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.nio.file.StandardOpenOption;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.atomic.AtomicReference;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/** Files that are cut, replaced or worn while a partition or a logical volume of theirs is read. */
@Timeout(120)
final class FailingDiskTest {
    private static final int SIZE = 512 << 10;
    private static final int SWAP_AT = 256 * 512;
    private static final int ROOT_AT = 64 * 512 + GuestBytes.DATA_AT;

    /** A place in the swap partition and far from everything that is read to find it. */
    private static final int LOST = 200 << 10;

    @TempDir
    private Path folder;

    /** What holds the disk. */
    enum Form {
        RAW,
        QCOW2,
        OVERLAY
    }

    private static GuestBytes guest() {
        GuestBytes guest = new GuestBytes(SIZE);
        TestBytes.fill(0, guest.bytes.duplicate());
        guest.bytes.put(0, new byte[ROOT_AT]);
        guest.bytes.put(SWAP_AT, new byte[8192]);
        return guest.partition(1, 0x8e, 64, 160)
                .partition(2, 0x82, 256, 256)
                .swap(SWAP_AT, "swap")
                .physicalVolume(
                        64 * 512,
                        160 * 512,
                        uuid('a'),
                        GuestBytes.group("vg0", 'G', 'a', GuestBytes.volume("root", 'R', 0, 4)));
    }

    private Path make(Form form) throws IOException {
        Path raw = TempImages.raw(folder, "guest.raw", guest().array());
        return switch (form) {
            case RAW -> raw;
            case QCOW2 -> TempImages.qemuConvert(raw, "disk.qcow2", "qcow2", "-o", "cluster_size=4k");
            case OVERLAY -> TempImages.qemu(folder, "top.qcow2", "qcow2", SIZE, "-b", raw.toString(), "-F", "raw");
        };
    }

    private OpenOptions options(Form form) {
        return OpenOptions.builder()
                .format(form == Form.RAW ? "raw" : "qcow2")
                .references(ReferencePolicy.under(folder))
                .build();
    }

    /** Where a byte of the disk lies in the file that holds it. */
    private static long place(BlockDevice disk, long offset) throws IOException {
        Extent extent = Extents.at(disk, offset);
        return extent.belowOffset() + offset - extent.offset();
    }

    private static void assertReads(ImageInspector image, String name, int start, int length) throws IOException {
        try (BlockDevice device = image.device(name)) {
            Contents.of(guest().array()).slice(start, length).assertRead(device, 0, length);
        }
    }

    @ParameterizedTest
    @EnumSource(Form.class)
    void fileCutWhileOpenFailsWhereItIsCutAndNowhereElse(Form form) throws IOException {
        Path file = make(form);
        Path holder = form == Form.OVERLAY ? folder.resolve("guest.raw") : file;
        try (ImageInspector image = ImageInspector.open(file, options(form));
                BlockDevice swap = image.device("/dev/sda2")) {
            long cut;
            try (BlockDevice disk = image.device("/dev/sda")) {
                cut = form == Form.QCOW2 ? qcow2Place(file) : place(disk, LOST);
            }
            try (FileChannel other = FileChannel.open(holder, StandardOpenOption.WRITE)) {
                other.truncate(cut);
            }

            assertThatThrownBy(() -> swap.read(LOST - SWAP_AT, ByteBuffer.allocate(512)))
                    .isInstanceOf(IOException.class)
                    .hasMessageContaining(String.valueOf(holder.getFileName()))
                    .hasMessageContaining(" at " + cut);
            assertThatThrownBy(() -> swap.read(0, ByteBuffer.allocate((int) swap.size())))
                    .isInstanceOf(IOException.class)
                    .hasMessageContaining(String.valueOf(holder.getFileName()));
            assertReads(image, "/dev/sda2", SWAP_AT, LOST - SWAP_AT);
            assertReads(image, "/dev/vg0/root", ROOT_AT, 4 * GuestBytes.EXTENT);
        }
    }

    private long qcow2Place(Path file) throws IOException {
        try (DiskImage image = DiskImages.open(file, options(Form.QCOW2))) {
            return place(image, LOST);
        }
    }

    @ParameterizedTest
    @EnumSource(
            value = Form.class,
            names = {"RAW", "QCOW2"})
    void wornPlaceFailsByNameAndOffsetAndTheRestIsRead(Form form) throws IOException {
        Path file = make(form);
        Faults faults = new Faults();
        try (DiskImage disk = DiskImages.open(new FaultyStorage(Storages.open(file, false), faults), options(form));
                ImageInspector image = ImageInspector.of(disk);
                BlockDevice swap = image.device("/dev/sda2")) {
            long place = place(disk, LOST);
            faults.failReads(place, 512);

            assertThatThrownBy(() -> swap.read(LOST - SWAP_AT, ByteBuffer.allocate(512)))
                    .isInstanceOf(BlockIOException.class)
                    .hasMessageContaining(file.getFileName() + ": read of 512 at " + place);
            assertReads(image, "/dev/sda2", SWAP_AT, LOST - SWAP_AT);
            assertReads(image, "/dev/vg0/root", ROOT_AT, 4 * GuestBytes.EXTENT);

            faults.heal();
            assertReads(image, "/dev/sda2", SWAP_AT, SWAP_AT);
        }
    }

    /** Whatever 4 KiB of the file cannot be read: it is a problem that is told, or in bytes that nobody needed. */
    @ParameterizedTest
    @EnumSource(
            value = Form.class,
            names = {"RAW", "QCOW2"})
    void wornPlaceAnywhereIsToldAndLeavesTheRestReadable(Form form) throws IOException {
        Path file = make(form);
        byte[] guest = guest().array();
        for (long at = 0; at < Files.size(file); at += 4096) {
            Faults faults = new Faults().failReads(at, 4096);
            try (DiskImage disk =
                            DiskImages.open(new FaultyStorage(Storages.open(file, false), faults), options(form));
                    ImageInspector image = ImageInspector.of(disk)) {
                boolean whole = image.devices().size() == 4;
                assertThat(whole || !image.problems().isEmpty())
                        .as("fault at %d: %s", at, image.problems())
                        .isTrue();
                for (var entry : image.devices()) {
                    try (BlockDevice device = image.device(entry.name())) {
                        device.read(0, ByteBuffer.allocate((int) entry.size()));
                    } catch (BlockIOException e) {
                        assertThat(e).hasMessageContaining(String.valueOf(file.getFileName()));
                    }
                }
                faults.heal();
                Contents.of(guest).assertAll(disk);
            } catch (BlockIOException | DiskImageException e) {
                assertThat(e)
                        .as("opening with a fault at %d", at)
                        .hasMessageContaining(file.getFileName().toString());
                assertThat(form).as("a raw disk needs no byte to be opened").isEqualTo(Form.QCOW2);
            }
        }
    }

    @ParameterizedTest
    @EnumSource(Form.class)
    void fileThatWasReplacedIsNotReadThroughAnyLayer(Form form) throws Exception {
        Path file = make(form);
        Path holder = form == Form.OVERLAY ? folder.resolve("guest.raw") : file;
        try (ImageInspector image = ImageInspector.open(file, options(form));
                BlockDevice swap = image.device("/dev/sda2")) {
            Path other = TempImages.raw(folder, "other", Contents.zeros(Files.size(holder)));
            Files.move(other, holder, StandardCopyOption.REPLACE_EXISTING);
            Contents expected = Contents.of(guest().array()).slice(SWAP_AT, SWAP_AT);

            boolean replaced = false;
            for (int i = 0; i < 200 && !replaced; i++) {
                interruptDuringReads(swap);
                try {
                    expected.assertAll(swap);
                } catch (BlockIOException e) {
                    assertThat(e)
                            .hasMessage(holder.getFileName() + ": another file was put in its place while it was open");
                    replaced = true;
                }
            }
            assumeTrue(replaced, "no interrupt came during a read");
            assertThatThrownBy(() -> swap.read(0, ByteBuffer.allocate(1))).isInstanceOf(BlockIOException.class);
        }
    }

    private static void interruptDuringReads(BlockDevice device) throws InterruptedException {
        AtomicReference<Throwable> failure = new AtomicReference<>();
        CountDownLatch reading = new CountDownLatch(1);
        Thread victim = new Thread(() -> {
            ByteBuffer into = ByteBuffer.allocate((int) device.size());
            try {
                while (true) {
                    device.read(0, into.clear());
                    reading.countDown();
                }
            } catch (ClosedByInterruptException e) {
                failure.compareAndSet(null, Thread.currentThread().isInterrupted() ? null : e);
            } catch (IOException | RuntimeException e) {
                failure.set(e);
            } finally {
                reading.countDown();
            }
        });
        victim.start();
        reading.await();
        victim.interrupt();
        victim.join();
        assertThat(failure.get()).isNull();
    }

    @Test
    void failureOfTheDiskBelowALogicalVolumeIsThatOfTheFile() throws IOException {
        Path file = make(Form.RAW);
        Faults faults = new Faults();
        try (DiskImage disk =
                        DiskImages.open(new FaultyStorage(Storages.open(file, false), faults), options(Form.RAW));
                ImageInspector image = ImageInspector.of(disk);
                BlockDevice root = image.device("/dev/vg0/root")) {
            faults.failReads(ROOT_AT + 4096, 512);

            assertThatThrownBy(() -> root.read(4096, ByteBuffer.allocate(512)))
                    .isInstanceOf(BlockIOException.class)
                    .hasMessageContaining("guest.raw: read of 512 at " + (ROOT_AT + 4096));
            Contents whole = Contents.of(guest().array()).slice(ROOT_AT, 4 * GuestBytes.EXTENT);
            whole.assertRead(root, 0, 4096);
            whole.assertRead(root, 4608, 4096);
        }
    }
}
