package dev.platter.interop;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.platter.examples.NightlyBackup;
import dev.platter.examples.RunningGuestBackup;
import dev.platter.testkit.ReferenceTools;
import dev.platter.testkit.Seed;
import dev.platter.testkit.TempImages;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.HashSet;
import java.util.Random;
import java.util.Set;
import java.util.concurrent.Callable;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.TimeUnit;
import java.util.zip.CRC32;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** The example that backs up a running guest, on QEMU itself, while the guest writes. */
@Timeout(120)
class RunningGuestBackupTest {
    private static final int SIZE = 4 << 20;

    private final ExecutorService threads = Executors.newSingleThreadExecutor();

    @TempDir
    private Path folder;

    @AfterEach
    void stop() {
        threads.shutdownNow();
    }

    /** Writes as long as it is let, and knows every state that the disk was in. */
    private static final class Writer implements Callable<byte[]> {
        private final PausedGuest guest;
        private final Random random;
        private final byte[] model = new byte[SIZE];
        private final Set<Long> states = new HashSet<>();
        private volatile boolean enough;

        Writer(PausedGuest guest, Random random) {
            this.guest = guest;
            this.random = random;
            states.add(state(ByteBuffer.wrap(model)));
        }

        @Override
        public byte[] call() throws IOException {
            while (!enough) {
                write(random.nextInt(SIZE - 200_000), 1 + random.nextInt(200_000));
            }
            return model;
        }

        void write(int offset, int length) throws IOException {
            byte value = (byte) (1 + random.nextInt(255));
            guest.write(offset, length, value);
            Arrays.fill(model, offset, offset + length, value);
            states.add(state(ByteBuffer.wrap(model)));
        }
    }

    private static long state(ByteBuffer bytes) {
        CRC32 sum = new CRC32();
        sum.update(bytes);
        return sum.getValue();
    }

    private Path disk(String format) throws IOException {
        return TempImages.qemu(folder, "disk." + format, format, SIZE);
    }

    private void backup(PausedGuest guest) throws IOException {
        RunningGuestBackup.main(new String[] {
            guest.control().toString(), "disk0", folder.resolve("backups").toString()
        });
    }

    private byte[] restored(int number) throws IOException {
        Path image = folder.resolve("restored-" + number + ".qcow2");
        NightlyBackup.main(
                new String[] {"restore", folder.resolve("backups").toString(), "" + number, image.toString()});
        Path raw = folder.resolve("restored-" + number + ".raw");
        ReferenceTools.runOk("qemu-img", "convert", "-f", "qcow2", "-O", "raw", image.toString(), raw.toString());
        return Files.readAllBytes(raw);
    }

    @ParameterizedTest
    @ValueSource(strings = {"raw", "qcow2"})
    void eachBackupIsTheDiskAtOneMomentWhileTheGuestWrites(String format) throws Exception {
        try (PausedGuest guest = PausedGuest.start(folder, disk(format), format)) {
            Writer writer = new Writer(guest, Seed.random("writes"));
            writer.write(0, 100_000);
            Future<byte[]> writing = threads.submit(writer);

            backup(guest);
            backup(guest);
            backup(guest);
            writer.enough = true;
            byte[] last = writing.get(60, TimeUnit.SECONDS);
            backup(guest);

            for (int number = 0; number < 3; number++) {
                assertThat(writer.states).as("backup " + number).contains(state(ByteBuffer.wrap(restored(number))));
            }
            assertThat(restored(3)).isEqualTo(last);
            assertThat(guest.nodes()).contains("\"platter-3\"").doesNotContain("platter-2", "platter-view");
        }
        assertThat(ReferenceTools.runOk(
                                "qemu-img",
                                "check",
                                folder.resolve("backups/3.qcow2").toString())
                        .stdout())
                .contains("No errors were found");
    }

    @Test
    void incrementHoldsWhatChangedAlone() throws Exception {
        try (PausedGuest guest = PausedGuest.start(folder, disk("raw"), "raw")) {
            Writer writer = new Writer(guest, Seed.random("writes"));
            writer.write(0, SIZE);
            backup(guest);
            writer.write(1 << 20, 1000);

            backup(guest);

            assertThat(restored(1)).isEqualTo(writer.model);
        }
        assertThat(Files.size(folder.resolve("backups/0.qcow2"))).isGreaterThan(SIZE);
        assertThat(Files.size(folder.resolve("backups/1.qcow2"))).isLessThan(512 << 10);
    }

    @Test
    void backupThatFailsLosesNoChange() throws Exception {
        try (PausedGuest guest = PausedGuest.start(folder, disk("qcow2"), "qcow2")) {
            Writer writer = new Writer(guest, Seed.random("writes"));
            writer.write(0, 100_000);
            backup(guest);
            writer.write(1 << 20, 100_000);
            Path first = folder.resolve("backups/0.qcow2");
            byte[] kept = Files.readAllBytes(first);
            try (FileChannel damaged = FileChannel.open(first, java.nio.file.StandardOpenOption.WRITE)) {
                damaged.write(ByteBuffer.allocate(4), 0);
            }
            assertThatThrownBy(() -> backup(guest)).isInstanceOf(IOException.class);
            assertThat(guest.nodes()).contains("\"platter-0\"").doesNotContain("platter-1", "platter-view");
            Files.write(first, kept);
            writer.write(2 << 20, 100_000);

            backup(guest);

            assertThat(restored(1)).isEqualTo(writer.model);
        }
    }

    @Test
    void guestThatWasStartedAnewIsCopiedWhole() throws Exception {
        Path disk = disk("raw");
        byte[] model;
        try (PausedGuest guest = PausedGuest.start(folder, disk, "raw")) {
            new Writer(guest, Seed.random("before")).write(0, 100_000);
            backup(guest);
        }
        Files.delete(folder.resolve("own.qmp"));
        Files.delete(folder.resolve("control.qmp"));
        try (PausedGuest guest = PausedGuest.start(folder, disk, "raw")) {
            guest.write(1 << 20, 5000, (byte) 7);

            backup(guest);

            model = restored(1);
        }
        assertThat(model).isEqualTo(Files.readAllBytes(disk));
        assertThat(ReferenceTools.runOk(
                                "qemu-img",
                                "info",
                                folder.resolve("backups/1.qcow2").toString())
                        .stdout())
                .doesNotContain("backing file");
    }
}
