package dev.platter.interop;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.platter.core.DiskImages;
import dev.platter.core.OpenOptions;
import dev.platter.core.ReferencePolicy;
import dev.platter.testkit.ReferenceTools;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** External data files that are not what they should be. */
final class DataFileTest {
    @TempDir
    private Path folder;

    @Test
    void dataFileThatCannotTellItsSizeIsClosedAgain() throws IOException {
        ReferenceTools.assumeTool("qemu-img");
        Path image = folder.resolve("top.qcow2");
        ReferenceTools.runIn(
                        folder,
                        "qemu-img",
                        "create",
                        "-q",
                        "-f",
                        "qcow2",
                        "-o",
                        "data_file=sizeless_data",
                        "top.qcow2",
                        "1M")
                .assertSuccess();
        String bytes = Files.readString(image, StandardCharsets.ISO_8859_1);
        Files.writeString(image, bytes.replace("sizeless_data", "sizeless:data"), StandardCharsets.ISO_8859_1);
        OpenOptions any =
                OpenOptions.builder().references(ReferencePolicy.all()).build();

        assertThatThrownBy(() -> DiskImages.open(image, any)).hasMessageContaining("nobody knows");

        assertThat(SizelessProvider.OPENED.get()).isPositive().isEqualTo(SizelessProvider.CLOSED.get());
    }
}
