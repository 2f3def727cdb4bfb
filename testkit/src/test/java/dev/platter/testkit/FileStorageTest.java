package dev.platter.testkit;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.platter.core.BlockDevice;
import dev.platter.core.BlockIOException;
import dev.platter.core.NotFasterException;
import dev.platter.core.OpenOptions;
import dev.platter.core.ReadOnlyDeviceException;
import dev.platter.core.Storage;
import dev.platter.core.Storages;
import dev.platter.core.UnsupportedFeatureException;
import dev.platter.core.ZeroMode;
import java.io.IOException;
import java.net.URI;
import java.nio.ByteBuffer;
import java.nio.channels.ClosedByInterruptException;
import java.nio.channels.ClosedChannelException;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicReference;
import org.assertj.core.api.Assertions;
import org.assertj.core.api.ThrowableAssert.ThrowingCallable;
import org.junit.jupiter.api.Assumptions;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class FileStorageTest {
    private static final int SIZE = 100_000;
    private static final Contents CONTENTS = Contents.testBytes(SIZE);

    @TempDir
    Path folder;

    private Path file() throws IOException {
        return TempImages.raw(folder, "disk.raw", CONTENTS);
    }

    private static void assertKind(BlockIOException.Kind kind, ThrowingCallable call) {
        assertThatThrownBy(call)
                .isInstanceOfSatisfying(
                        BlockIOException.class,
                        e -> assertThat(e.kind()).as(e.getMessage()).isEqualTo(kind));
    }

    @ParameterizedTest
    @ValueSource(longs = {SIZE, SIZE + 1, 1L << 40, 1L << 62, Long.MAX_VALUE - 100, Long.MAX_VALUE - 1, Long.MAX_VALUE})
    void readAtOrBeyondTheEndGivesNothing(long offset) throws IOException {
        try (Storage storage = Storages.open(file(), false)) {
            assertThat(storage.read(offset, ByteBuffer.allocate(100))).isZero();
        }
    }

    @Test
    void readAcrossTheEndGivesWhatIsThere() throws IOException {
        try (Storage storage = Storages.open(file(), false)) {
            ByteBuffer into = ByteBuffer.allocate(100);

            assertThat(storage.read(SIZE - 30, into)).isEqualTo(30);

            CONTENTS.assertMatch(SIZE - 30, into.flip(), "read across the end");
        }
    }

    @Test
    void sizeGrowsWithZerosAndShrinks() throws IOException {
        try (Storage storage = Storages.open(file(), true)) {
            storage.setSize(SIZE + 5000);
            assertThat(storage.size()).isEqualTo(SIZE + 5000);
            ByteBuffer tail = ByteBuffer.allocate(5000);
            storage.read(SIZE, tail);
            Contents.zeros(5000).assertMatch(0, tail, "grown part");

            storage.setSize(10);
            assertThat(storage.size()).isEqualTo(10);
            storage.setSize(10);
            storage.setSize(0);
            assertThat(storage.size()).isZero();
            assertThatThrownBy(() -> storage.setSize(-1)).isInstanceOf(IllegalArgumentException.class);
        }
    }

    @Test
    void writeBeyondTheEndGrowsTheFile() throws IOException {
        try (Storage storage = Storages.open(file(), true)) {
            storage.write(SIZE + 100, ByteBuffer.wrap(TestBytes.of(SIZE + 100, 50)));

            assertThat(storage.size()).isEqualTo(SIZE + 150);
            storage.writeZeroes(0, SIZE, ZeroMode.MAY_UNMAP);
            storage.flush();
        }
        assertThat(Files.readAllBytes(folder.resolve("disk.raw"))).startsWith(new byte[SIZE + 100]);
    }

    @Test
    void fastZeroesAreRefusedBeforeAnyByteIsTouched() throws IOException {
        try (Storage storage = Storages.open(file(), true)) {
            assertThatThrownBy(() -> storage.writeZeroes(0, 10, ZeroMode.FAST_UNMAP))
                    .isInstanceOf(NotFasterException.class);
            CONTENTS.assertRead(Storages.asDevice(storage), 0, 10);
        }
    }

    @Test
    void readOnlyStorageRefusesEveryChange() throws IOException {
        try (Storage storage = Storages.open(file(), false)) {
            assertThat(storage.isReadOnly()).isTrue();
            assertThatThrownBy(() -> storage.setSize(1)).isInstanceOf(ReadOnlyDeviceException.class);
            assertThatThrownBy(() -> storage.write(0, ByteBuffer.allocate(1)))
                    .isInstanceOf(ReadOnlyDeviceException.class);
            assertThatThrownBy(() -> storage.writeZeroes(0, 1, ZeroMode.MAY_UNMAP))
                    .isInstanceOf(ReadOnlyDeviceException.class);
            assertThatThrownBy(() -> storage.discard(0, 1)).isInstanceOf(ReadOnlyDeviceException.class);
            storage.flush();
        }
    }

    @Test
    void closedStorageRefusesEveryRequest() throws IOException {
        Storage storage = Storages.open(file(), true);
        storage.close();
        storage.close();

        assertThatThrownBy(storage::size).isInstanceOf(ClosedChannelException.class);
        assertThatThrownBy(() -> storage.setSize(1)).isInstanceOf(ClosedChannelException.class);
        assertThatThrownBy(() -> storage.read(0, ByteBuffer.allocate(1))).isInstanceOf(ClosedChannelException.class);
        assertThatThrownBy(() -> storage.write(0, ByteBuffer.allocate(1))).isInstanceOf(ClosedChannelException.class);
        assertThatThrownBy(() -> storage.discard(0, 1)).isInstanceOf(ClosedChannelException.class);
        assertThatThrownBy(storage::flush).isInstanceOf(ClosedChannelException.class);
        assertThatThrownBy(storage::allocatedSize).isInstanceOf(ClosedChannelException.class);
    }

    @Test
    void twoNamesOfOneFileAreOneIdentity() throws IOException {
        Path file = file();
        Path link = Files.createSymbolicLink(folder.resolve("link"), file);
        Path hard = Files.createLink(folder.resolve("hard"), file);
        Path other = TempImages.raw(folder, "other.raw", CONTENTS);

        try (Storage one = Storages.open(file, false);
                Storage two = Storages.open(link, false);
                Storage three = Storages.open(hard, false);
                Storage four = Storages.open(other, false)) {
            assertThat(two.identity()).isEqualTo(one.identity());
            assertThat(three.identity()).isEqualTo(one.identity());
            assertThat(four.identity()).isNotEqualTo(one.identity());
        }
    }

    @Test
    void addressOfAFileOpensIt() throws IOException {
        Path file = file();

        try (Storage storage = Storages.open(file.toUri(), OpenOptions.defaults())) {
            assertThat(storage.path()).isEqualTo(file);
            assertThat(storage.name()).isEqualTo("disk.raw");
        }
    }

    @Test
    void addressOfAnUnknownSchemeIsRefusedByName() {
        assertThatThrownBy(() -> Storages.open(URI.create("gopher://host/disk"), OpenOptions.defaults()))
                .isInstanceOf(UnsupportedFeatureException.class)
                .hasMessageContaining("\"gopher\"");
        assertKind(
                BlockIOException.Kind.NOT_SUPPORTED,
                () -> Storages.open(URI.create("file:relative"), OpenOptions.defaults()));
        assertKind(
                BlockIOException.Kind.NOT_SUPPORTED,
                () -> Storages.open(URI.create("file://host/share/disk"), OpenOptions.defaults()));
    }

    @Test
    void controlCharactersOfTheNameAreEscaped() throws IOException {
        Path file = TempImages.raw(folder, "a\u001b[2Jb\n.raw", CONTENTS);

        try (Storage storage = Storages.open(file, false)) {
            assertThat(storage.name()).isEqualTo("a\\x1b[2Jb\\x0a.raw");
        }
    }

    @Test
    void missingFileAndFolderAreRefused() {
        assertThatThrownBy(() -> Storages.open(folder.resolve("none"), false)).isInstanceOf(NoSuchFileException.class);
        assertKind(BlockIOException.Kind.NOT_SUPPORTED, () -> Storages.open(folder, false));
    }

    @Test
    @Timeout(60)
    void pipeAndCharacterDeviceAreRefusedWithoutBlocking() throws IOException {
        ReferenceTools.assumeTool("mkfifo");
        Path pipe = folder.resolve("pipe");
        ReferenceTools.runOk("mkfifo", pipe.toString());

        assertKind(BlockIOException.Kind.NOT_SUPPORTED, () -> Storages.open(pipe, false));
        Path zero = Path.of("/dev/zero");
        Assumptions.assumeTrue(Files.exists(zero), "there is no /dev/zero");
        assertKind(BlockIOException.Kind.NOT_SUPPORTED, () -> Storages.open(zero, false));
        Path link = Files.createSymbolicLink(folder.resolve("link"), pipe);
        assertKind(BlockIOException.Kind.NOT_SUPPORTED, () -> Storages.open(link, false));
    }

    @Test
    void sizeThatTheMediumCannotHaveIsAnErrorThatNamesTheFile() throws IOException {
        try (Storage storage = Storages.open(file(), true)) {
            Throwable failure = Assertions.catchThrowable(() -> storage.setSize(Long.MAX_VALUE));

            Assumptions.assumeTrue(failure != null, "this file system has files of 2^63-1 bytes");
            assertThat(failure)
                    .isInstanceOf(BlockIOException.class)
                    .hasMessageContaining("disk.raw: change of its size from " + SIZE + " to " + Long.MAX_VALUE);
            assertThat(storage.size()).isEqualTo(SIZE);
        }
    }

    @Test
    void fileOfTheKernelHasTheSizeThatItStates() throws IOException {
        Path version = Path.of("/proc/version");
        Assumptions.assumeTrue(Files.exists(version), "there is no /proc");

        try (Storage storage = Storages.open(version, false)) {
            assertThat(storage.size()).isZero();
        }
    }

    @Test
    void sizeOfABlockDeviceIsThatOfItsMedium() throws IOException {
        Path file = TempImages.sparse(folder, "disk.raw", 7 << 20);

        try (LoopDevice loop = LoopDevice.attach(file);
                Storage storage = Storages.open(loop.path(), true)) {
            assertThat(storage.size()).isEqualTo(7 << 20);
            assertThat(storage.read(7 << 20, ByteBuffer.allocate(10))).isZero();
            assertKind(BlockIOException.Kind.NOT_SUPPORTED, () -> storage.setSize(1 << 20));
        }
    }

    @Test
    void fileThatShrankWhileItWasOpenIsAnError() throws IOException {
        Path file = file();
        try (BlockDevice device = Storages.asDevice(Storages.open(file, false));
                FileChannel other = FileChannel.open(file, StandardOpenOption.WRITE)) {
            other.truncate(1000);

            CONTENTS.assertRead(device, 0, 1000);
            assertThatThrownBy(() -> device.read(990, ByteBuffer.allocate(100)))
                    .isInstanceOf(BlockIOException.class)
                    .hasMessageContaining("ended after 10: the file is shorter than the 100000 bytes");
            assertThat(device.size()).isEqualTo(SIZE);
        }
    }

    @Test
    void failureOfTheDiskNamesTheFileAndTheOffset() throws IOException {
        // the kernel has no memory mapped at the bottom of a process, and says so as a worn disk would
        Path unreadable = Path.of("/proc/self/mem");
        Assumptions.assumeTrue(Files.isReadable(unreadable), "/proc/self/mem is not there");

        try (Storage storage = Storages.open(unreadable, false)) {
            assertThatThrownBy(() -> storage.read(4096, ByteBuffer.allocate(512)))
                    .isInstanceOfSatisfying(
                            BlockIOException.class, e -> assertThat(e.kind()).isEqualTo(BlockIOException.Kind.IO))
                    .hasMessageStartingWith("mem: read of 512 at 4096: ")
                    .hasCauseInstanceOf(IOException.class);
            assertThatThrownBy(() -> storage.read(4096, ByteBuffer.allocateDirect(512)))
                    .isInstanceOf(BlockIOException.class);
        }
    }

    @Test
    void secondWriterInThisProcessIsRefused() throws IOException {
        Path file = file();
        try (Storage first = Storages.open(file, true)) {
            assertKind(BlockIOException.Kind.BUSY, () -> Storages.open(file, true));
            first.write(0, ByteBuffer.allocate(1));
        }
        Storages.open(file, true).close();
    }

    @Test
    void writerInAnotherProcessIsRefusedAndReaderIsNot() throws IOException {
        Path file = file();
        LockHolder.run(folder, file, () -> {
            assertKind(BlockIOException.Kind.BUSY, () -> Storages.open(file, true));
            Storages.open(file, false).close();
        });

        Storages.open(file, true).close();
    }

    @Test
    void refusedOpenLeavesNoDescriptorBehind() throws IOException {
        Path descriptors = Path.of("/proc/self/fd");
        Assumptions.assumeTrue(Files.isDirectory(descriptors), "there is no /proc/self/fd");
        Path file = file();
        try (Storage first = Storages.open(file, true)) {
            assertKind(BlockIOException.Kind.BUSY, () -> Storages.open(file, true));
            assertThat(descriptorsOf(file)).isEqualTo(2);
            assertThat(first.size()).isEqualTo(SIZE);
        }
        assertThat(descriptorsOf(file)).isZero();
    }

    @Test
    void interruptsNeverCostTheWriterItsLock() throws Exception {
        Path locks = Path.of("/proc/locks");
        Assumptions.assumeTrue(Files.isReadable(locks), "there is no /proc/locks");
        Path file = TempImages.raw(folder, "disk.raw", Contents.testBytes(4 << 20));
        String inode = ":" + Files.getAttribute(file, "unix:ino") + " ";
        try (Storage storage = Storages.open(file, true)) {
            AtomicReference<Throwable> failure = new AtomicReference<>();
            for (int i = 0; i < 200 && failure.get() == null; i++) {
                Thread victim = reading(storage, failure);
                Thread survivor = new Thread(() -> readWhile(storage, victim, failure));
                survivor.start();
                victim.start();
                victim.interrupt();
                victim.join(TimeUnit.MINUTES.toMillis(1));
                survivor.join(TimeUnit.MINUTES.toMillis(1));
                storage.size();

                assertThat(Files.readString(locks))
                        .as("locks after interrupt %d", i)
                        .contains(inode);
            }
            assertThat(failure.get()).isNull();
        }
        assertThat(Files.readString(locks)).doesNotContain(inode);
    }

    @ParameterizedTest
    @ValueSource(booleans = {false, true})
    void fileThatTookThePlaceOfTheOpenOneIsNeverRead(boolean writable) throws Exception {
        int size = 4 << 20;
        Path file = folder.resolve("disk.raw");
        for (int i = 0; i < 10; i++) {
            TempImages.raw(folder, "disk.raw", Contents.testBytes(size));
            try (Storage storage = Storages.open(file, writable)) {
                interruptDuringReads(storage);

                Files.delete(file);
                // the first file made after a deletion often gets the deleted one's inode
                TempImages.raw(folder, "disk.raw", Contents.zeros(size));

                ByteBuffer into = ByteBuffer.allocate(4096);
                try {
                    storage.read(8, into);
                    Contents.testBytes(size).assertMatch(8, into, "read of the deleted file");
                } catch (BlockIOException e) {
                    assertThat(e).hasMessageContaining("another file was put in its place");
                }
            }
            Files.delete(file);
        }
    }

    private static int descriptorsOf(Path file) throws IOException {
        int count = 0;
        try (var entries = Files.newDirectoryStream(Path.of("/proc/self/fd"))) {
            for (Path entry : entries) {
                try {
                    count += Files.readSymbolicLink(entry).equals(file.toRealPath()) ? 1 : 0;
                } catch (NoSuchFileException e) {
                    // the descriptor of the listing itself
                    count += 0;
                }
            }
        }
        return count;
    }

    private static void interruptDuringReads(Storage storage) throws InterruptedException {
        AtomicReference<Throwable> failure = new AtomicReference<>();
        Thread victim = reading(storage, failure);
        victim.start();
        victim.interrupt();
        victim.join(TimeUnit.MINUTES.toMillis(1));
        assertThat(failure.get()).isNull();
    }

    /** Reads large pieces until it is interrupted, which then most likely happens during a read. */
    private static Thread reading(Storage storage, AtomicReference<Throwable> failure) {
        return new Thread(() -> {
            try {
                while (true) {
                    storage.read(0, ByteBuffer.allocate(4 << 20));
                }
            } catch (ClosedByInterruptException e) {
                if (!Thread.currentThread().isInterrupted()) {
                    failure.set(new AssertionError("the flag is gone", e));
                }
            } catch (IOException | RuntimeException e) {
                failure.set(e);
            }
        });
    }

    private static void readWhile(Storage storage, Thread other, AtomicReference<Throwable> failure) {
        try {
            do {
                storage.read(0, ByteBuffer.allocate(1000));
            } while (other.isAlive());
        } catch (IOException | RuntimeException e) {
            failure.set(e);
        }
    }

    @Test
    void lockOfTheWriterSurvivesThatAnotherReaderIsClosed() throws IOException {
        ReferenceTools.assumeTool("qemu-io");
        Path file = file();

        try (Storage writer = Storages.open(file, true)) {
            Storages.open(file, false).close();

            assertThat(writeByQemu(file).stderr()).contains("Failed to lock byte");
            writer.write(0, ByteBuffer.allocate(1));
        }

        assertThat(writeByQemu(file).exit()).isZero();
    }

    private static ToolResult writeByQemu(Path file) throws IOException {
        return ReferenceTools.run("qemu-io", "-f", "raw", "-c", "write 0 512", file.toString());
    }
}
