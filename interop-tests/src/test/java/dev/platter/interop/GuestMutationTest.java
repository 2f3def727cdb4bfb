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
        byte[] head = new byte[18 * MIB];
        try (DiskImage disk = DiskImages.open(sample)) {
            disk.read(0, ByteBuffer.wrap(head));
            BlockDevice tail = BlockDevices.slice(disk, "tail", head.length, disk.size() - head.length);

            Mutations.of("mbr and lvm guest", head)
                    // the MBR; the superblock of /boot; label, area and text of the physical volume
                    .within(0, 512)
                    .within(MIB + 1024, 1024)
                    .within(17 * MIB + 512, 512)
                    .within(17 * MIB + 4096, 8192)
                    .rounds(400)
                    .allocatingAtMost(MOST_HEAP)
                    .run(bytes -> inspect(
                            BlockDevices.concat("mutated.raw", List.of(BlockDevices.ofBytes("head", bytes), tail))));
        }
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
