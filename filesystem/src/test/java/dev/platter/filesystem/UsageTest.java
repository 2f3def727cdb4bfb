package dev.platter.filesystem;

import static org.assertj.core.api.Assertions.assertThat;

import dev.platter.testkit.LoopDevice;
import dev.platter.testkit.ReferenceTools;
import dev.platter.testkit.TempImages;
import dev.platter.testkit.ToolResult;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;
import org.opentest4j.TestAbortedException;

/** The numbers of {@code df} against {@code statvfs} of the same volume, mounted read-only. */
class UsageTest {
    private static final long MIB = 1 << 20;
    private static final int STATE = 1024 + 0x3A;
    private static final int FREE_BLOCKS = 1024 + 0xC;
    private static final int OVERHEAD = 1024 + 0x248;
    private static final int JOURNAL_BACKUP_TYPE = 1024 + 0xFD;

    @TempDir
    private Path folder;

    @ParameterizedTest
    @ValueSource(
            strings = {
                "mkfs.ext2 -q -F",
                "mke2fs -q -F -r 0",
                "mkfs.ext3 -q -F -b 1024",
                "mkfs.ext4 -q -F",
                "mkfs.ext4 -q -F -m 20",
                "mkfs.ext4 -q -F -O ^has_journal",
                "mkfs.ext4 -q -F -O bigalloc -C 65536",
                "mkfs.ext4 -q -F -O meta_bg,^resize_inode -b 1024",
                "mkfs.ext4 -q -F -O sparse_super2",
                "mkfs.xfs -q -f",
                "mkfs.xfs -q -f -m crc=0 -b size=1024",
                "mkfs.xfs -q -f -m rmapbt=1,reflink=1 -d agcount=2",
            })
    void numbersAreThoseOfTheKernel(String command) throws IOException {
        Path volume = make(command, 330 * MIB);

        FileSystem found = TestVolumes.one(TestVolumes.recognise(volume));

        assertThat(found.usage()).isEqualTo(statvfs(volume));
        assertThat(found.state())
                .isEqualTo(
                        found.type().equals("xfs") || found.type().startsWith("ext") ? FileSystem.State.CLEAN : null);
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "mkfs.ext2 -q -F",
                "mkfs.ext2 -q -F -b 1024 -O ^sparse_super,^resize_inode",
                "mkfs.ext3 -q -F -b 1024",
                "mkfs.ext4 -q -F -O ^metadata_csum",
                "mkfs.ext4 -q -F -O meta_bg,^resize_inode,^metadata_csum -b 1024",
                "mkfs.ext4 -q -F -O meta_bg,^resize_inode,^metadata_csum,^64bit -b 1024 -g 256",
                "mkfs.ext4 -q -F -O sparse_super2,^metadata_csum",
            })
    void overheadThatOldProgramsDidNotStoreIsComputed(String command) throws IOException {
        Path volume = make(command, 330 * MIB);
        patch(volume, OVERHEAD, 4, 0);

        FileSystem found = TestVolumes.one(TestVolumes.recognise(volume));

        assertThat(found.usage()).isEqualTo(statvfs(volume));
    }

    @Test
    void sizeOfTheJournalComesFromItsInodeWhereThereIsNoBackup() throws IOException {
        Path volume = make("mkfs.ext4 -q -F -O ^metadata_csum", 330 * MIB);
        patch(volume, OVERHEAD, 4, 0);
        patch(volume, JOURNAL_BACKUP_TYPE, 1, 0);

        FileSystem found = TestVolumes.one(TestVolumes.recognise(volume));

        assertThat(found.usage()).isEqualTo(statvfs(volume));
    }

    @Test
    void freeBlocksOfExt2ThatWasNotUnmountedAreThoseOfItsGroups() throws IOException {
        Path volume = make("mkfs.ext2 -q -F -b 1024", 330 * MIB);
        patch(volume, STATE, 2, 0);
        patch(volume, FREE_BLOCKS, 4, 17);

        FileSystem found = TestVolumes.one(TestVolumes.recognise(volume));

        assertThat(found.state()).isEqualTo(FileSystem.State.DIRTY);
        assertThat(found.free()).isEqualTo(17 * 1024);
        assertThat(found.usage()).isEqualTo(statvfs(volume));
    }

    @Test
    void squashfsIsFull() throws IOException {
        ReferenceTools.assumeTool("mksquashfs");
        Path files = Files.createDirectory(folder.resolve("files"));
        Files.write(files.resolve("file"), new byte[300_000]);
        Path volume = folder.resolve("volume");
        ReferenceTools.runOk("mksquashfs", files.toString(), volume.toString(), "-noD", "-quiet", "-no-progress");

        FileSystem found = TestVolumes.one(TestVolumes.recognise(volume));

        assertThat(found.usage()).isEqualTo(statvfs(volume));
    }

    private Path make(String command, long size) throws IOException {
        List<String> words = new ArrayList<>(List.of(command.split(" ", -1)));
        ReferenceTools.assumeTool(words.get(0));
        Path volume = TempImages.sparse(folder, "volume", size);
        words.add(volume.toString());
        ReferenceTools.run(words).assertSuccess();
        return volume;
    }

    private static void patch(Path volume, int offset, int length, int value) throws IOException {
        ByteBuffer bytes = ByteBuffer.allocate(4).order(ByteOrder.LITTLE_ENDIAN).putInt(0, value);
        try (FileChannel channel = FileChannel.open(volume, StandardOpenOption.WRITE)) {
            channel.write(bytes.limit(length), offset);
        }
    }

    private DiskUsage statvfs(Path volume) throws IOException {
        ReferenceTools.assumeTool("mount");
        Path point = Files.createDirectory(folder.resolve("mounted"));
        try (LoopDevice loop = LoopDevice.attach(volume, "--read-only")) {
            ToolResult mount =
                    ReferenceTools.run("mount", "-o", "ro", loop.path().toString(), point.toString());
            if (mount.exit() != 0) {
                throw new TestAbortedException("cannot be mounted here: " + mount.stderr());
            }
            try {
                String[] numbers = ReferenceTools.runOk("stat", "-f", "-c", "%S %b %f %a", point.toString())
                        .stdout()
                        .trim()
                        .split(" ", -1);
                long block = Long.parseLong(numbers[0]);
                return new DiskUsage(
                        block * Long.parseLong(numbers[1]),
                        block * Long.parseLong(numbers[2]),
                        block * Long.parseLong(numbers[3]),
                        true);
            } finally {
                ReferenceTools.runOk("umount", point.toString());
            }
        }
    }
}
