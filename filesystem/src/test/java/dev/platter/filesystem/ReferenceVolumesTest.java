package dev.platter.filesystem;

import static org.assertj.core.api.Assertions.assertThat;

import dev.platter.testkit.ReferenceTools;
import dev.platter.testkit.TempImages;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/** Volumes made by the programs that define their formats, against {@code blkid -p}. */
class ReferenceVolumesTest {
    private static final long MIB = 1 << 20;

    @TempDir
    private Path folder;

    /** A command whose {@code @} is the volume, a file of zeros, and {@code %} a folder with files. */
    record Recipe(String name, long size, String type, List<String> command) {
        @Override
        public String toString() {
            return name;
        }
    }

    static Stream<Recipe> recipes() {
        String uuid = "0f1e2d3c-4b5a-6978-8796-a5b4c3d2e1f0";
        return Stream.of(
                recipe("ext2", 8 * MIB, "ext2", "mkfs.ext2 -q -F -L label -U " + uuid + " @"),
                recipe("ext2 of revision 0", 8 * MIB, "ext2", "mke2fs -q -F -r 0 @"),
                recipe("ext3", 16 * MIB, "ext3", "mkfs.ext3 -q -F -L sixteen-letters. @"),
                recipe("ext4", 16 * MIB, "ext4", "mkfs.ext4 -q -F -L äöü @"),
                recipe("ext4 with blocks of 1 KiB", 16 * MIB, "ext4", "mkfs.ext4 -q -F -b 1024 @"),
                recipe("ext4 with blocks of 64 KiB", 256 * MIB, "ext4", "mkfs.ext4 -q -F -b 65536 @"),
                recipe("ext4 without journal", 16 * MIB, "ext4", "mkfs.ext4 -q -F -O ^has_journal @"),
                recipe("ext4 without checksums", 16 * MIB, "ext4", "mkfs.ext4 -q -F -O ^metadata_csum @"),
                recipe("ext4 with bigalloc", 64 * MIB, "ext4", "mkfs.ext4 -q -F -O bigalloc -C 65536 @"),
                recipe("ext4 with meta_bg", 64 * MIB, "ext4", "mkfs.ext4 -q -F -O meta_bg,^resize_inode @"),
                recipe("ext4dev", 16 * MIB, "ext4dev", "mkfs.ext4 -q -F -E test_fs @"),
                recipe("external journal", 16 * MIB, "jbd", "mke2fs -q -F -O journal_dev -L journal @"),
                recipe("xfs", 320 * MIB, "xfs", "mkfs.xfs -q -f -L twelveletter -m uuid=" + uuid + " @"),
                recipe("xfs version 4", 320 * MIB, "xfs", "mkfs.xfs -q -f -m crc=0 @"),
                recipe("xfs with blocks of 1 KiB", 320 * MIB, "xfs", "mkfs.xfs -q -f -b size=1024 @"),
                recipe("xfs with sectors of 4 KiB", 320 * MIB, "xfs", "mkfs.xfs -q -f -s size=4096 @"),
                recipe("btrfs", 128 * MIB, "btrfs", "mkfs.btrfs -q -L label -U " + uuid + " @"),
                recipe("btrfs with xxhash", 128 * MIB, "btrfs", "mkfs.btrfs -q --csum xxhash @"),
                recipe("btrfs with sha256", 128 * MIB, "btrfs", "mkfs.btrfs -q --csum sha256 @"),
                recipe("btrfs with blake2", 128 * MIB, "btrfs", "mkfs.btrfs -q --csum blake2 @"),
                recipe("FAT12", MIB, "vfat", "mkfs.vfat -F 12 -n FLOPPY -i 1234abcd @"),
                recipe("FAT12 without label", 3 * MIB, "vfat", "mkfs.vfat -F 12 @"),
                recipe("FAT16", 16 * MIB, "vfat", "mkfs.vfat -F 16 -n DATA @"),
                recipe("FAT16 with sectors of 4 KiB", 64 * MIB, "vfat", "mkfs.vfat -F 16 -S 4096 @"),
                recipe("FAT32", 64 * MIB, "vfat", "mkfs.vfat -F 32 -n EFI @"),
                recipe("FAT32 with clusters of 8 KiB", 600 * MIB, "vfat", "mkfs.vfat -F 32 -s 16 -n BIG @"),
                recipe("ntfs", 16 * MIB, "ntfs", "mkfs.ntfs -Q -q -F -L Größe @"),
                recipe("ntfs with clusters of 64 KiB", 64 * MIB, "ntfs", "mkfs.ntfs -Q -q -F -c 65536 @"),
                recipe("exfat", 16 * MIB, "exfat", "mkfs.exfat -L Größe @"),
                recipe("exfat with clusters of 32 KiB", 64 * MIB, "exfat", "mkfs.exfat -c 32K @"),
                recipe("swap", 4 * MIB, "swap", "mkswap -q -L label -U " + uuid + " @"),
                recipe("swap with pages of 64 KiB", 4 * MIB, "swap", "mkswap -q -p 65536 @"),
                recipe("squashfs", 0, "squashfs", "mksquashfs % @ -noappend -quiet -no-progress"),
                recipe("iso9660", 0, "iso9660", "genisoimage -quiet -R -V LABEL -o @ %"),
                recipe("iso9660 with Joliet", 0, "iso9660", "genisoimage -quiet -J -V A_label_of_20_chars. -o @ %"),
                recipe("iso9660 with short Joliet", 0, "iso9660", "genisoimage -quiet -J -V Label -o @ %"),
                recipe("bridge of UDF and iso9660", 0, "udf", "genisoimage -quiet -udf -V BRIDGE -o @ %"),
                recipe("udf", 16 * MIB, "udf", "mkudffs -l label -u 0123456789abcdef @"),
                recipe("udf of an optical disc", 16 * MIB, "udf", "mkudffs -b 2048 -m cdrw -r 1.50 @"),
                recipe("udf with blocks of 4 KiB", 16 * MIB, "udf", "mkudffs -b 4096 -l Ж @"),
                recipe("f2fs", 64 * MIB, "f2fs", "mkfs.f2fs -q -l label @"),
                recipe("f2fs with checksum", 64 * MIB, "f2fs", "mkfs.f2fs -q -O extra_attr,sb_checksum -l Größe @"),
                recipe("LUKS1", 4 * MIB, "crypto_LUKS", luks("luks1")),
                recipe("LUKS2", 32 * MIB, "crypto_LUKS", luks("luks2") + " --label label"),
                recipe(
                        "LUKS2 with a large header",
                        32 * MIB,
                        "crypto_LUKS",
                        luks("luks2") + " --luks2-metadata-size 128k"),
                recipe("LUKS2 with SHA-512 elsewhere", 32 * MIB, "crypto_LUKS", luks("luks2") + " --hash sha512"));
    }

    private static String luks(String type) {
        return "cryptsetup luksFormat -q --type " + type
                + " --pbkdf pbkdf2 --pbkdf-force-iterations 1000 @ --key-file %/file";
    }

    private static Recipe recipe(String name, long size, String type, String command) {
        return new Recipe(name, size, type, List.of(command.split(" ", -1)));
    }

    @ParameterizedTest
    @MethodSource("recipes")
    void volumeMadeByItsOwnProgramIsDescribedAsBlkidDoes(Recipe recipe) throws IOException {
        Path volume = make(recipe);
        Map<String, String> blkid = TestVolumes.blkid(volume);

        Recognition recognition = TestVolumes.recognise(volume);

        assertThat(recognition.warnings()).isEmpty();
        assertThat(recognition.ambiguous()).isEmpty();
        assertThat(recognition.found()).hasSize(1);
        FileSystem found = recognition.found().get(0);
        assertThat(found.type()).isEqualTo(recipe.type());
        assertThat(found.type()).isEqualTo(blkid.get("TYPE"));
        assertThat(found.label()).isEqualTo(blkid.get("LABEL"));
        assertThat(found.uuid()).isEqualTo(blkid.get("UUID"));
        if (blkid.containsKey("VERSION")) {
            assertThat(found.version()).isEqualTo(blkid.get("VERSION"));
        }
        if (!recipe.name().contains("blake2")) {
            assertThat(found.warnings()).isEmpty();
        }
        if (found.size() != null) {
            assertThat(found.size()).isBetween(1L, Files.size(volume));
        }
    }

    @Test
    void blake2ChecksumIsSaidNotToBeVerified() throws IOException {
        Path volume = make(recipe("btrfs", 128 * MIB, "btrfs", "mkfs.btrfs -q --csum blake2 @"));

        FileSystem found = TestVolumes.one(TestVolumes.recognise(volume));

        assertThat(found.warnings())
                .singleElement()
                .asString()
                .contains("checksum of type 3 (blake2b) is not verified");
    }

    @Test
    void ext4OverSwapIsAmbiguousAsBlkidSays() throws IOException {
        Path volume = make(recipe("both", 16 * MIB, "ext4", "mkswap -q -p 65536 @"));
        ReferenceTools.assumeTool("mkfs.ext4");
        ReferenceTools.runOk("mkfs.ext4", "-q", "-F", "-b", "4096", "-E", "nodiscard", volume.toString());
        restoreSwapMagic(volume);

        Recognition recognition = TestVolumes.recognise(volume);

        assertThat(TestVolumes.blkid(volume)).containsEntry("exit", "8");
        assertThat(recognition.found()).isEmpty();
        assertThat(recognition.ambiguous()).containsExactly(new Signature("swap", 65526), new Signature("ext4", 1080));
    }

    private static void restoreSwapMagic(Path volume) throws IOException {
        try (var channel = java.nio.channels.FileChannel.open(volume, java.nio.file.StandardOpenOption.WRITE)) {
            channel.write(
                    java.nio.ByteBuffer.wrap("SWAP-SPACE".getBytes(java.nio.charset.StandardCharsets.US_ASCII)), 65526);
        }
    }

    private Path make(Recipe recipe) throws IOException {
        ReferenceTools.assumeTool(recipe.command().get(0));
        Path files = Files.createDirectory(folder.resolve("files"));
        Files.writeString(files.resolve("file"), "a file of some length that does no harm");
        Path volume =
                recipe.size() == 0 ? folder.resolve("volume") : TempImages.sparse(folder, "volume", recipe.size());
        List<String> command = new ArrayList<>();
        for (String word : recipe.command()) {
            command.add(word.replace("@", volume.toString()).replace("%", files.toString()));
        }
        ReferenceTools.run(command).assertSuccess();
        return volume;
    }
}
