package dev.platter.examples;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.platter.testkit.ReferenceTools;
import dev.platter.testkit.TempImages;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.FileAlreadyExistsException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** The programs, on the image that lies beside them. */
final class ExamplesTest {
    private static final Path SAMPLE = Path.of("images", "lvm-guest.qcow2");

    @TempDir
    private Path folder;

    private final ByteArrayOutputStream printed = new ByteArrayOutputStream();
    private final PrintStream out = new PrintStream(printed, true, StandardCharsets.UTF_8);

    private List<String> lines() {
        return printed.toString(StandardCharsets.UTF_8).lines().toList();
    }

    @Test
    void showContentsPrintsPartitionsVolumesAndFileSystems() throws IOException {
        ShowContents.show(SAMPLE, out);

        assertThat(lines())
                .contains("volume /dev/vg0/root: 41943040 bytes", "file system /dev/vg0/root: ext4")
                .anyMatch(line -> line.startsWith("partition 2: "));
    }

    @Test
    void copyVolumeCopiesAllBytesAndReplacesNothing() throws IOException {
        Path copy = folder.resolve("root.raw");

        CopyVolume.copy(SAMPLE, "/dev/vg0/root", copy);

        byte[] bytes = Files.readAllBytes(copy);
        assertThat(bytes).hasSize(40 << 20);
        // the magic of ext4
        assertThat(new byte[] {bytes[1080], bytes[1081]}).containsExactly(0x53, 0xef);
        assertThatThrownBy(() -> CopyVolume.copy(SAMPLE, "/dev/vg0/root", copy))
                .isInstanceOf(FileAlreadyExistsException.class);
    }

    @Test
    void goldenImageStaysTheSameWhateverItsOverlaysWrite() throws IOException {
        GoldenImage.run(folder, 1000, out);

        assertThat(lines())
                .contains("golden image: golden", "guest 0: guest 0", "guest 1: golden")
                .anyMatch(line -> line.startsWith("1000 overlays of "));
        assertThat(folder.resolve("guest-999.qcow2")).isRegularFile();
    }

    @Test
    void changedRangesPrintsWhatWasWrittenSinceTheBitmapWasAdded() throws IOException {
        Path image = TempImages.qemu(folder, "disk.qcow2", "qcow2", 1 << 20);
        ReferenceTools.runOk("qemu-img", "bitmap", "--add", image.toString(), "since-monday");
        ReferenceTools.runOk("qemu-io", "-f", "qcow2", "-c", "write 128k 64k", image.toString());

        ChangedRanges.list(image, out);

        assertThat(lines()).containsExactly("since-monday: 65536 bytes at 131072");
    }
}
