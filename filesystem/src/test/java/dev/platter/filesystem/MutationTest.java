package dev.platter.filesystem;

import dev.platter.testkit.Corpus;
import dev.platter.testkit.Mutations;
import dev.platter.testkit.ReferenceTools;
import dev.platter.testkit.TempImages;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Changed superblocks: whatever they say, the answer is a value, in bounded memory. */
class MutationTest {

    @TempDir
    private Path folder;

    @ParameterizedTest
    @ValueSource(
            strings = {
                "mkfs.ext4 -q -F -O bigalloc,^metadata_csum -C 65536",
                "mkfs.ext4 -q -F -O meta_bg,^resize_inode,^metadata_csum -b 1024",
                "mkfs.exfat -L label",
                "mkudffs -l label",
                "mkfs.f2fs -q -l label",
                "mkfs.ntfs -Q -q -F -c 512",
            })
    void changedVolumeOfAProgramNeverThrows(String command) throws IOException {
        List<String> words = new ArrayList<>(List.of(command.split(" ", -1)));
        ReferenceTools.assumeTool(words.get(0));
        words.add(TempImages.sparse(folder, "volume", 64 << 20).toString());
        ReferenceTools.run(words).assertSuccess();
        byte[] image = Files.readAllBytes(folder.resolve("volume"));

        Mutations mutations =
                Mutations.of(command, image).within(128 << 10, 40 << 10).within(2 << 20, 4096);
        mutate(mutations);
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "bare-ext4.raw",
                "bare-ext2.raw",
                "bare-xfs-v4.raw",
                "bare-xfs.raw",
                "bare-btrfs.raw",
                "bare-fat12.raw",
                "bare-fat16.raw",
                "bare-fat32.raw",
                "bare-ntfs.raw",
                "bare-swap.raw",
                "bare-squashfs.raw",
                "bare-iso9660.raw",
                "bare-luks1.raw",
                "pv-whole-disk.raw",
            })
    void changedVolumeNeverThrows(String file) throws IOException {
        byte[] image = Files.readAllBytes(Corpus.assumeCorpus().unpack(file));

        mutate(Mutations.of(file, image));
    }

    private static void mutate(Mutations mutations) {
        mutations
                .within(0, 2048)
                .within(4096, 512)
                .within(16 << 10, 8 << 10)
                .within(32 << 10, 6 << 10)
                .within(64 << 10, 1 << 10)
                .truncating()
                .rounds(3000)
                .allocatingAtMost(40 << 20)
                .run(bytes -> TestVolumes.recognise(bytes));
    }
}
