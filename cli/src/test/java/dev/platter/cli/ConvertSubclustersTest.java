package dev.platter.cli;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.JsonNode;
import dev.platter.testkit.ReferenceTools;
import dev.platter.testkit.TempImages;
import dev.platter.testkit.TestBytes;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** A new image with extended L2 entries has the subclusters that hold something, as that of qemu-img. */
final class ConvertSubclustersTest extends JudgedByQemu {
    private static final int PIECE = 4 << 10;

    @ParameterizedTest
    @ValueSource(strings = {"16k", "64k", "128k", "256k", "2M"})
    void sparsePiecesTakeTheSubclustersOfQemu(String clusterSize) throws IOException {
        byte[] disk = new byte[8 << 20];
        for (int at = PIECE; at + 3 * PIECE <= disk.length; at += 84 << 10) {
            System.arraycopy(TestBytes.of(at, PIECE), 0, disk, at, PIECE);
            // and a single byte in the piece after next
            disk[at + 2 * PIECE + 777] = 1;
        }
        String options = "extended_l2=on,cluster_size=" + clusterSize;
        Path raw = TempImages.raw(folder, "a.raw", disk);
        Path theirs = TempImages.qemuConvert(raw, "theirs.qcow2", "qcow2", "-o", options);
        Path ours = folder.resolve("ours.qcow2");

        Cli.run("convert", "-f", "raw", "-O", "qcow2", "-o", options, raw, ours).assertExit(0);

        assertClean(ours);
        ReferenceTools.runOk("qemu-img", "compare", "-q", raw.toString(), ours.toString());
        assertThat(data(ours)).isEqualTo(data(theirs));
        assertThat(counts(ours).path("allocated-clusters"))
                .isEqualTo(counts(theirs).path("allocated-clusters"));
        Path again = Files.createFile(folder.resolve("again.raw"));
        Cli.run("convert", "--force", "-O", "raw", ours, again).assertExit(0);
        assertThat(again).hasBinaryContent(disk);
    }

    /** Where data begin and end, in order; holes that the file system has in there do not count. */
    private static List<Long> data(Path image) throws IOException {
        List<Long> borders = new ArrayList<>();
        boolean before = false;
        for (JsonNode extent : ReferenceTools.runOk("qemu-img", "map", "--output=json", image.toString())
                .json()) {
            if (extent.path("data").asBoolean() != before) {
                before = !before;
                borders.add(extent.path("start").asLong());
            }
        }
        return borders;
    }
}
