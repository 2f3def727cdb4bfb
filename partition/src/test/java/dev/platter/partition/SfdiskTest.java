package dev.platter.partition;

import static dev.platter.testkit.ReferenceTools.assumeTool;
import static dev.platter.testkit.ReferenceTools.runOk;
import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import dev.platter.core.BlockDevice;
import dev.platter.core.Limits;
import dev.platter.core.Storages;
import dev.platter.testkit.ReferenceTools;
import dev.platter.testkit.ToolResult;
import java.io.IOException;
import java.io.RandomAccessFile;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Tables made by sfdisk and sgdisk, read by them and by us. */
class SfdiskTest {
    private static final long SIZE = 64L << 20;

    @TempDir
    Path folder;

    private Path image;

    @BeforeEach
    void makeImage() throws IOException {
        assumeTool("sfdisk");
        image = folder.resolve("disk.img");
        setLength(SIZE);
    }

    private void setLength(long size) throws IOException {
        try (RandomAccessFile file = new RandomAccessFile(image.toFile(), "rw")) {
            file.setLength(size);
        }
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "label: dos",
                "label: dos | start=2048, size=1, type=83, bootable | start=2049, type=7",
                "label: dos | /x4: start=2048, size=2048, type=c | /x2: start=8192, size=9, type=ef, bootable",
                "label: dos | label-id: 0x00000000 | start=63, size=8001, type=83",
                "label: dos | label-id: 0xffffffff | start=63, size=8001, type=82",
                "label: dos | start=2048, size=40000, type=5 | start=30000, size=2000 | start=10000, size=2000, type=8e | "
                        + "start=5000, size=1000, type=7",
                "label: dos | size=9000 | size=90000, type=f | size=3000 | size=4000, type=82 | size=5000, bootable",
                "label: gpt",
                "label: gpt | label-id: 01234567-89AB-CDEF-0123-456789ABCDEF | size=2048, type=U, name=\"ESP ä€\" | "
                        + "size=4096, type=L, attrs=\"RequiredPartition NoBlockIOProtocol LegacyBIOSBootable\" | "
                        + "size=1, attrs=\"LegacyBIOSBootable GUID:48,60,63\", name=\"all 36 letters of a partition name..\"",
                "label: gpt | /x128: start=2048, size=2048 | /x3: start=8192, size=5, type=V | /x90: start=6000, size=1",
                "label: gpt | table-length: 256 | /x256: start=4096, size=2048",
            })
    void tableMadeBySfdiskIsReadAlike(String script) throws IOException {
        sfdisk(image.toString(), script.replace("/x", image.toString()));

        assertReadAlike(image.toString(), 512);
    }

    @Test
    void fiftyLogicalPartitionsAreReadAlike() throws IOException {
        setLength(4 * SIZE);
        StringBuilder script = new StringBuilder("label: dos | start=2048, type=5");
        for (int i = 0; i < 50; i++) {
            script.append(" | size=").append(i + 1);
        }
        sfdisk(image.toString(), script.toString());

        assertReadAlike(image.toString(), 512);
    }

    @Test
    void hybridTableMadeBySgdiskIsReadAlike() throws IOException {
        assumeTool("sgdisk");
        runOk("sgdisk", "-n", "1:2048:4095", "-n", "5:8192:9000", "-c", "5:five", "-h", "1:5", image.toString());

        assertReadAlike(image.toString(), 512);
    }

    @Test
    void unsortedTableWithMovedEntriesMadeBySgdiskIsReadAlike() throws IOException {
        assumeTool("sgdisk");
        runOk("sgdisk", "-j", "100", "-n", "9:20000:30000", "-n", "2:40000:0", "-A", "9:set:2", image.toString());

        assertReadAlike(image.toString(), 512);
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "label: gpt | size=256, name=one | size=512, type=U",
                "label: dos | size=256, type=83, bootable | start=1024, type=5 | size=100 | size=200, type=82",
            })
    void tableOnSectorsOf4096BytesIsReadAlike(String script) throws IOException {
        String loop = attachLoop();
        try {
            sfdisk(loop, script);
            assertReadAlike(loop, 4096);
        } finally {
            runOk("losetup", "--detach", loop);
        }
    }

    @Test
    void partitionUuidsAreThoseOfLibblkid() throws IOException {
        assumeTool("partx");
        sfdisk(
                image.toString(),
                "label: dos | label-id: 0x00c0ffee | size=9000 | size=90000, type=f | size=3000 | size=4000");
        List<String> expected = partx();

        assertThat(uuids()).isEqualTo(expected);
    }

    @Test
    void diskIdZeroGivesNoPartitionUuidsAsInLibblkid() throws IOException {
        assumeTool("partx");
        sfdisk(image.toString(), "label: dos | label-id: 0x00000000 | size=9000");

        assertThat(partx()).containsExactly("1");
        assertThat(uuids()).containsExactly("1");
    }

    /** Returns the number and the PARTUUID of each partition, as far as it has one, as libblkid sees them. */
    private List<String> partx() throws IOException {
        return runOk("partx", "--noheadings", "--output", "NR,UUID", "--show", image.toString())
                .stdout()
                .lines()
                .map(line -> line.strip().replaceAll("\\s+", " "))
                .toList();
    }

    private List<String> uuids() throws IOException {
        List<String> uuids = new ArrayList<>();
        for (Partition partition : read(image.toString(), 0).partitions()) {
            uuids.add(partition.number() + (partition.uuid() == null ? "" : " " + partition.uuid()));
        }
        return uuids;
    }

    private String attachLoop() throws IOException {
        assumeTool("losetup");
        ToolResult attached =
                ReferenceTools.run("losetup", "--find", "--show", "--sector-size", "4096", image.toString());
        assumeTrue(attached.exit() == 0, "no loop device with sectors of 4096 bytes here: " + attached.stderr());
        return attached.stdout().strip();
    }

    /** Runs sfdisk on a script whose lines are separated by bars. */
    private void sfdisk(String device, String script) throws IOException {
        Path file = Files.writeString(folder.resolve("script"), script.replace(" | ", "\n") + "\n");
        runOk("sh", "-c", "sfdisk --quiet --no-reread --no-tell-kernel \"$0\" < \"$1\"", device, file.toString());
    }

    private static void assertReadAlike(String device, int sectorSize) throws IOException {
        PartitionTable table = read(device, sectorSize == 512 ? 0 : sectorSize);

        assertThat(table.warnings()).isEmpty();
        TableComparison.assertEqualToSfdisk(
                table, runOk("sfdisk", "--json", device).json(), device);
    }

    private static PartitionTable read(String device, int sectorSize) throws IOException {
        try (BlockDevice disk = Storages.asDevice(Storages.open(Path.of(device), false))) {
            return PartitionTables.read(disk, sectorSize, Limits.defaults());
        }
    }
}
