package dev.platter.inspect;

import static org.assertj.core.api.Assertions.assertThat;

import dev.platter.core.ImageInfo;
import dev.platter.core.SnapshotInfo;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;

class ImageReportTest {

    @Test
    void clockOfASnapshotIsUnsignedAsQemuPrintsIt() throws IOException {
        ImageInfo info =
                new ImageInfo("a.qcow2", "qcow2", 512, () -> null, 65536L, false, false, null, null, null, Map.of());
        SnapshotInfo snapshot = new SnapshotInfo("1", "a", -1, 0, 0, -1, -1, 512);
        ByteArrayOutputStream out = new ByteArrayOutputStream();

        new ImageReport(info, List.of(snapshot)).writeJson(out);

        // qemu-img 7.2 prints the size as a signed number, the clock as an unsigned one
        assertThat(out.toString(StandardCharsets.UTF_8))
                .contains("\"vm-clock-sec\": 18446744073,", "\"vm-clock-nsec\": 709551615", "\"vm-state-size\": -1");
    }
}
