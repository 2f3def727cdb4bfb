package dev.platter.qcow2;

import static org.assertj.core.api.Assertions.assertThat;

import dev.platter.core.DiskImage;
import dev.platter.core.DiskImages;
import dev.platter.core.Durability;
import dev.platter.core.OpenOptions;
import dev.platter.core.ReferencePolicy;
import dev.platter.testkit.ReferenceTools;
import dev.platter.testkit.TempImages;
import dev.platter.testkit.TestBytes;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.file.Path;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** An image says that a discard may free space where it does, and nowhere else. */
class DiscardFeatureTest {
    private static final int SIZE = 1 << 20;

    @TempDir
    @SuppressWarnings("NullAway.Init") // by JUnit
    private Path folder;

    private static DiskImage open(Path image, boolean writable) throws IOException {
        return DiskImages.open(
                image,
                OpenOptions.builder()
                        .format("qcow2")
                        .writable(writable)
                        .references(ReferencePolicy.all())
                        .build());
    }

    /** Whether clusters were freed, as qemu counts them. */
    private static boolean isFreed(Path image) throws IOException {
        try (DiskImage disk = open(image, true)) {
            disk.write(0, ByteBuffer.wrap(TestBytes.of(0, SIZE)), Durability.NONE);
        }
        long before = allocated(image);
        try (DiskImage disk = open(image, true)) {
            disk.discard(0, SIZE);
        }
        return allocated(image) < before;
    }

    private static long allocated(Path image) throws IOException {
        String check =
                ReferenceTools.runOk("qemu-img", "check", image.toString()).stdout();
        return check.lines()
                .filter(line -> line.contains("% allocated"))
                .mapToLong(line -> Long.parseLong(line.substring(0, line.indexOf('/'))))
                .findFirst()
                .orElse(0);
    }

    @ParameterizedTest
    @CsvSource({
        "compat=1.1, false, true",
        "compat=0.10, false, true",
        "compat=1.1, true, true",
        "compat=0.10, true, false",
        "'data_file=data,data_file_raw=on', false, false",
    })
    void trimIsSaidWhereADiscardFrees(String options, boolean overlay, boolean frees) throws IOException {
        ReferenceTools.assumeTool("qemu-img");
        String all = options.replace("data_file=data", "data_file=" + folder.resolve("data"));
        if (overlay) {
            Path base = TempImages.raw(folder, "base.raw", TestBytes.of(0, SIZE));
            all += ",backing_fmt=raw,backing_file=" + base;
        }
        Path image = folder.resolve("disk.qcow2");
        ReferenceTools.runOk("qemu-img", "create", "-q", "-f", "qcow2", "-o", all, image.toString(), "1M");

        try (DiskImage disk = open(image, true)) {
            assertThat(disk.features().trim()).isEqualTo(frees);
        }
        assertThat(isFreed(image)).isEqualTo(frees);
    }

    @Test
    void readOnlyImageSaysNoTrim() throws IOException {
        try (DiskImage disk = open(TempImages.qemu(folder, "disk.qcow2", "qcow2", SIZE), false)) {
            assertThat(disk.features().trim()).isFalse();
        }
    }
}
