package dev.platter.interop;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.ObjectMapper;
import dev.platter.core.BlockDevice;
import dev.platter.core.BlockDevices;
import dev.platter.core.DiskImage;
import dev.platter.core.DiskImageException;
import dev.platter.core.DiskImages;
import dev.platter.core.OpenOptions;
import dev.platter.core.Storages;
import dev.platter.inspect.ImageInspector;
import dev.platter.testkit.Mutations;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;

/**
 * The sample guest with metadata changed at random. Whatever the change: a report in which every device says what it is,
 * or a {@link DiskImageException}. The image is read from memory, so that nothing can be left open.
 */
class GuestMutationTest {
    private static final int MIB = 1 << 20;
    private static final long MOST_HEAP = 64L * MIB;

    private final Path sample = ProjectFiles.root().resolve("examples/images/lvm-guest.qcow2");

    @Test
    void changedContainerEndsInAReportOrARefusal() throws IOException {
        byte[] image = Files.readAllBytes(sample);

        Mutations.of("qcow2 guest", image)
                .within(0, image.length)
                .truncating()
                .rounds(200)
                .allocatingAtMost(MOST_HEAP)
                .run(bytes -> {
                    BlockDevice file = BlockDevices.ofBytes("mutated.qcow2", bytes);
                    OpenOptions qcow2 = OpenOptions.builder().format("qcow2").build();
                    try (DiskImage disk = DiskImages.open(Storages.of(file), qcow2)) {
                        inspect(disk);
                    }
                });
    }

    @Test
    void changedTablesAndLvmMetadataEndInAReport() throws IOException {
        // the MBR; the superblock of /boot; label, area and text of the physical volume
        long[] offsets = {0, MIB + 1024, 17L * MIB + 512, 17L * MIB + 4096};
        int[] lengths = {512, 1024, 512, 8192};
        byte[] metadata = new byte[512 + 1024 + 512 + 8192];
        try (DiskImage disk = DiskImages.open(sample)) {
            for (int i = 0, at = 0; i < offsets.length; at += lengths[i++]) {
                disk.read(offsets[i], ByteBuffer.wrap(metadata, at, lengths[i]));
            }
            // only the metadata is held: a copy of all it spans would not fit into a small heap twice
            Mutations.of("mbr and lvm guest", metadata)
                    .within(0, metadata.length)
                    .rounds(400)
                    .allocatingAtMost(MOST_HEAP)
                    .run(bytes -> inspect(withMetadata(disk, offsets, lengths, bytes)));
        }
    }

    private static BlockDevice withMetadata(DiskImage disk, long[] offsets, int[] lengths, ByteBuffer metadata) {
        List<BlockDevice> pieces = new ArrayList<>();
        long end = 0;
        for (int i = 0, at = 0; i < offsets.length; at += lengths[i++]) {
            if (offsets[i] > end) {
                pieces.add(BlockDevices.slice(disk, "between", end, offsets[i] - end));
            }
            pieces.add(BlockDevices.ofBytes("metadata", metadata.slice(at, lengths[i])));
            end = offsets[i] + lengths[i];
        }
        pieces.add(BlockDevices.slice(disk, "tail", end, disk.size() - end));
        return BlockDevices.concat("mutated.raw", pieces);
    }

    private static void inspect(BlockDevice disk) throws IOException {
        try (ImageInspector image = ImageInspector.of(disk)) {
            String json = image.report().toJson();
            assertThat(new ObjectMapper().readTree(json).path("partitions").isArray())
                    .isTrue();
            ByteBuffer block = ByteBuffer.allocate(4096);
            for (var entry : image.devices()) {
                try (BlockDevice device = image.device(entry.name())) {
                    device.read(0, block.clear().limit((int) Math.min(4096, device.size())));
                } catch (DiskImageException e) {
                    assertThat(e.getMessage()).isNotBlank();
                }
            }
        }
    }
}
