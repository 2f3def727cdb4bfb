package dev.platter.lvm;

import dev.platter.core.BlockDevice;
import dev.platter.core.BlockDevices;
import dev.platter.core.Limits;
import dev.platter.fuzz.Seeing;
import dev.platter.testkit.Promises;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.List;
import org.jspecify.annotations.Nullable;

/** Scans physical volumes, and reads the logical volumes that are said to be readable. */
final class SeenScan {
    /** What lies behind the metadata; never written to. */
    private static final ByteBuffer ZEROS = ByteBuffer.allocate(1 << 20).asReadOnlyBuffer();

    private static final int MOST_READ = 16;

    private SeenScan() {}

    /** Checks the scan of devices that begin with these bytes, and go on with zeros. */
    static void check(byte[]... heads) throws IOException {
        List<PhysicalVolumeCandidate> candidates = new ArrayList<>();
        for (byte[] head : heads) {
            String name = "/dev/sd" + (char) ('a' + candidates.size());
            BlockDevice device = BlockDevices.concat(
                    name,
                    List.of(
                            BlockDevices.ofBytes("head", ByteBuffer.wrap(head).asReadOnlyBuffer()),
                            BlockDevices.ofBytes("rest", ZEROS)));
            candidates.add(new PhysicalVolumeCandidate(name, device));
        }
        LvmScan scan = Lvm.scan(candidates, Limits.defaults());
        scan.problems().forEach(Promises::requireShowable);
        scan.warnings().forEach(warning -> Promises.requireShowable(warning.text()));
        scan.physicalVolumes().forEach(SeenScan::see);
        for (VolumeGroup group : scan.volumeGroups()) {
            Promises.requireShowable(group.toString());
            showProblem(group.problem());
            group.logicalVolumes().stream().limit(MOST_READ).forEach(SeenScan::see);
        }
    }

    private static void see(PhysicalVolume volume) {
        showProblem(volume.problem());
        volume.warnings().forEach(warning -> Promises.requireShowable(warning.text()));
    }

    private static void see(LogicalVolume volume) {
        Promises.requireShowable(volume.toString());
        showProblem(volume.problem());
        Promises.attempt(() -> {
            try (BlockDevice device = volume.open()) {
                Seeing.all(device);
            }
        });
    }

    private static void showProblem(@Nullable String problem) {
        if (problem != null) {
            Promises.requireShowable(problem);
        }
    }
}
