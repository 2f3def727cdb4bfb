package dev.platter.lvm;

import static org.assertj.core.api.Assertions.assertThat;

import dev.platter.core.BlockDevice;
import dev.platter.core.Limits;
import java.io.IOException;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;

/** The snippet of README.md. */
class ReadmeTest {

    @Test
    void snippetListsAndOpensVolumes() throws IOException {
        String text = new GroupText("vg0", 'g', 1)
                .pv("pv0", 'a', 16)
                .linear("root", "pv0", 0, 4)
                .toString();
        BlockDevice partition = new PvBytes(GroupText.uuid('a'), PvBytes.DATA_AT + 16 * GroupText.EXTENT)
                .text(text)
                .device("web.qcow2 > partition 2");
        List<String> lines = new ArrayList<>();

        LvmScan scan = Lvm.scan(List.of(new PhysicalVolumeCandidate("/dev/sda2", partition)), Limits.defaults());
        for (VolumeGroup group : scan.volumeGroups()) {
            for (LogicalVolume volume : group.logicalVolumes()) {
                lines.add(group + " " + volume + " " + volume.size() + " " + volume.problem());
            }
        }
        BlockDevice root =
                scan.volumeGroups().get(0).logicalVolume("root").orElseThrow().open();

        assertThat(lines)
                .containsExactly("VG vg0 (UUID " + GroupText.uuid('g')
                        + ") LV vg0/root (UUID 000000-0000-0000-0000-0000-0000-000001) 16384 null");
        assertThat(root.description()).isEqualTo("web.qcow2 > partition 2 > vg0/root");
    }
}
