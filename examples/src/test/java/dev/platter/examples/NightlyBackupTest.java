package dev.platter.examples;

import static org.assertj.core.api.Assertions.assertThat;

import dev.platter.core.DiskImage;
import dev.platter.core.DiskImages;
import dev.platter.core.Durability;
import dev.platter.core.OpenOptions;
import dev.platter.qcow2.CreateOptions;
import dev.platter.qcow2.Qcow2;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.PrintStream;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

final class NightlyBackupTest {
    private static final int SIZE = 4 << 20;

    @TempDir
    private Path folder;

    @Test
    void eachNightIsRestoredAsItWas() throws IOException {
        Path guest = folder.resolve("guest.qcow2");
        Path backups = folder.resolve("backups");
        ByteArrayOutputStream printed = new ByteArrayOutputStream();
        PrintStream out = new PrintStream(printed, true, StandardCharsets.UTF_8);
        Qcow2.create(guest, CreateOptions.builder(SIZE).build());
        Random random = new Random(7);
        List<byte[]> nights = new ArrayList<>();

        for (int night = 0; night < 3; night++) {
            write(guest, random);
            nights.add(contents(guest));
            NightlyBackup.backup(guest, backups, out);
        }

        assertThat(printed.toString(StandardCharsets.UTF_8).lines())
                .containsExactly("0.qcow2: 4194304 bytes", "1.qcow2: 65536 bytes", "2.qcow2: 65536 bytes");
        for (int night = 0; night < 3; night++) {
            Path restored = folder.resolve("restored" + night + ".qcow2");
            NightlyBackup.restore(backups, night, restored);
            assertThat(contents(restored)).isEqualTo(nights.get(night));
        }
    }

    private static void write(Path image, Random random) throws IOException {
        byte[] bytes = new byte[5000];
        random.nextBytes(bytes);
        long at = random.nextInt(SIZE / 65536) * 65536L + 1000;
        OpenOptions writable = OpenOptions.builder().writable(true).build();
        try (DiskImage disk = DiskImages.open(image, writable)) {
            disk.write(at, ByteBuffer.wrap(bytes), Durability.NONE);
        }
    }

    private static byte[] contents(Path image) throws IOException {
        try (DiskImage disk = DiskImages.open(image)) {
            byte[] bytes = new byte[(int) disk.size()];
            disk.read(0, ByteBuffer.wrap(bytes));
            return bytes;
        }
    }
}
