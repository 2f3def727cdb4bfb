package dev.platter.qcow2;

import com.code_intelligence.jazzer.junit.FuzzTest;
import dev.platter.core.BlockDevice;
import dev.platter.core.DiskImage;
import dev.platter.fuzz.Qcow2Bytes;
import dev.platter.fuzz.Seeing;
import dev.platter.testkit.Promises;
import java.io.IOException;
import java.nio.ByteBuffer;

/** The snapshot table and the tables of the snapshots; the input is a file, whose header is made to open. */
class Qcow2SnapshotsFuzzTest {
    private static final int MOST_OPENED = 8;
    private static final int COUNT_AT = 60;

    @FuzzTest
    void snapshotsAreReadOrRefused(byte[] file) {
        byte[] openable = Qcow2Bytes.openable(file);
        ByteBuffer header = ByteBuffer.wrap(openable);
        if (header.getInt(COUNT_AT) == 0) {
            header.putInt(COUNT_AT, 1);
        }
        Promises.ofMetadata(file.length).check(() -> {
            try (DiskImage image = OpenedImage.open(openable)) {
                image.snapshots().stream()
                        .limit(MOST_OPENED)
                        .forEach(snapshot -> Promises.attempt(() -> see(image, snapshot.id())));
                Promises.attempt(() -> see(image, "no such snapshot"));
            }
        });
    }

    private static void see(DiskImage image, String id) throws IOException {
        try (BlockDevice snapshot = image.openSnapshot(id)) {
            Seeing.all(snapshot);
        }
    }
}
