package dev.platter.filesystem;

import static org.assertj.core.api.Assertions.assertThat;

import dev.platter.testkit.TempImages;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/** Members of arrays whose programs need a kernel: superblocks by hand, against {@code blkid -p}. */
class RaidMemberTest {
    private static final int MIB = 1 << 20;

    @TempDir
    private Path folder;

    private int images;

    @ParameterizedTest
    @CsvSource({"1.0, 4186112", "1.1, 0", "1.2, 4096"})
    void memberOfMetadata1IsFoundAtItsPlace(String version, int offset) throws IOException {
        ByteBuffer volume = ByteBuffer.allocate(4 * MIB).order(ByteOrder.LITTLE_ENDIAN);
        putMd1(volume, offset);

        FileSystem found = assertAsBlkid(volume);

        assertThat(found.type()).isEqualTo("linux_raid_member");
        assertThat(found.label()).isEqualTo("host:0");
        assertThat(found.version()).isEqualTo(version);
        assertThat(found.signatureOffset()).isEqualTo(offset);
    }

    @Test
    void memberOfMetadata1WithWrongChecksumIsNotRecognised() throws IOException {
        ByteBuffer volume = ByteBuffer.allocate(4 * MIB).order(ByteOrder.LITTLE_ENDIAN);
        putMd1(volume, 4096);
        volume.put(4096 + 200, (byte) 1);

        Recognition recognition = TestVolumes.recognise(volume);

        assertThat(recognition.found()).isEmpty();
        assertThat(recognition.warnings())
                .singleElement()
                .satisfies(warning -> assertThat(warning.offset()).isEqualTo(4096))
                .asString()
                .contains("linux_raid_member: superblock at 4096: checksum is 0x");
    }

    @ParameterizedTest
    @ValueSource(booleans = {false, true})
    void memberOfMetadata090IsFoundInEitherByteOrder(boolean bigEndian) throws IOException {
        ByteBuffer volume =
                ByteBuffer.allocate(4 * MIB + 4096).order(bigEndian ? ByteOrder.BIG_ENDIAN : ByteOrder.LITTLE_ENDIAN);
        int at = 4 * MIB - 65536;
        volume.putInt(at, 0xA92B4EFC).putInt(at + 4, 0).putInt(at + 8, 90).putInt(at + 12, 3);
        volume.putInt(at + 20, 0x01020304).putInt(at + 52, 0x05060708);
        volume.putInt(at + 56, 0x090A0B0C).putInt(at + 60, 0x0D0E0F10).putInt(at + 32, 3 * 1024);
        ByteBuffer sb = volume.slice(at, 4096).order(volume.order());
        volume.putInt(at + 152, (int) MdSuperblock.sum(sb, 152));

        FileSystem found = assertAsBlkid(volume);

        assertThat(found.version()).isEqualTo("0.90.3");
        assertThat(found.uuid()).isEqualTo("01020304-0506-0708-090a-0b0c0d0e0f10");
    }

    @Test
    void raidEndsTheSearchSoThatWhatShowsThroughIsIgnored() throws IOException {
        ByteBuffer volume = ByteBuffer.allocate(4 * MIB).order(ByteOrder.LITTLE_ENDIAN);
        putMd1(volume, 4 * MIB - 8192);
        volume.put(0, "hsqs".getBytes(StandardCharsets.US_ASCII)).putShort(28, (short) 4);
        volume.putInt(12, 131072).putLong(40, 1000);

        FileSystem found = assertAsBlkid(volume);

        assertThat(found.type()).isEqualTo("linux_raid_member");
    }

    @Test
    void poolOfZfsIsFoundInItsLastLabel() throws IOException {
        ByteBuffer volume = ByteBuffer.allocate(64 * MIB);
        putZfs(volume, 64 * MIB - (256 << 10) + (16 << 10));

        FileSystem found = TestVolumes.one(TestVolumes.recognise(volume));

        assertThat(found.type()).isEqualTo("zfs_member");
        assertThat(found.label()).isEqualTo("tank");
        assertThat(found.uuid()).isEqualTo("18446744073709551615");
        assertThat(found.version()).isEqualTo("5000");
    }

    @Test
    void memberAndFileSystemOfVmfsAreDescribed() throws IOException {
        ByteBuffer volume = ByteBuffer.allocate(4 * MIB).order(ByteOrder.LITTLE_ENDIAN);
        putUuid(volume.putInt(2 * MIB, 0x2FABF15E).put(2 * MIB + 8, (byte) 5), 2 * MIB + 9);
        volume.put(2 * MIB + 29, "datastore1".getBytes(StandardCharsets.US_ASCII));

        FileSystem fileSystem = assertAsBlkid(volume);
        volume.putInt(MIB, 0xC001D00D).putInt(MIB + 4, 6);
        volume.put(MIB + 532, "4d2c3b1a-0123".getBytes(StandardCharsets.US_ASCII));
        FileSystem member = assertAsBlkid(volume);

        assertThat(fileSystem.type()).isEqualTo("VMFS");
        assertThat(member.type()).isEqualTo("VMFS_volume_member");
    }

    @Test
    void bitLockerIsDescribedByItsMetadata() throws IOException {
        ByteBuffer volume = ByteBuffer.allocate(4 * MIB).order(ByteOrder.LITTLE_ENDIAN);
        volume.put(0, "\u00ebX\u0090-FVE-FS-".getBytes(StandardCharsets.ISO_8859_1))
                .putLong(176, MIB);
        volume.put(MIB, "-FVE-FS-".getBytes(StandardCharsets.US_ASCII)).putShort(MIB + 10, (short) 2);
        putUuid(volume.putInt(MIB + 64, 48 + 8 + 12), MIB + 80);
        volume.putShort(MIB + 112, (short) 20).putShort(MIB + 114, (short) 7).putShort(MIB + 116, (short) 2);
        volume.put(MIB + 120, "PC C: ".getBytes(StandardCharsets.UTF_16LE));

        FileSystem found = TestVolumes.one(TestVolumes.recognise(volume));

        assertThat(found.type()).isEqualTo(blkid(volume).get("TYPE")).isEqualTo("BitLocker");
        assertThat(found.version()).isEqualTo("2");
        assertThat(found.label()).isEqualTo("PC C:");
        assertThat(found.uuid()).isEqualTo("04030201-0605-0807-090a-0b0c0d0e0f10");
    }

    private FileSystem assertAsBlkid(ByteBuffer volume) throws IOException {
        FileSystem found = TestVolumes.one(TestVolumes.recognise(volume));
        Map<String, String> blkid = blkid(volume);
        assertThat(found.type()).isEqualTo(blkid.get("TYPE"));
        assertThat(found.label()).isEqualTo(blkid.get("LABEL"));
        assertThat(found.uuid()).isEqualTo(blkid.get("UUID"));
        assertThat(found.version()).isEqualTo(blkid.get("VERSION"));
        return found;
    }

    private Map<String, String> blkid(ByteBuffer volume) throws IOException {
        byte[] bytes = new byte[volume.capacity()];
        volume.get(0, bytes);
        images++;
        return TestVolumes.blkid(TempImages.raw(folder, "volume" + images, bytes));
    }

    private static void putUuid(ByteBuffer volume, int at) {
        for (int i = 0; i < 16; i++) {
            volume.put(at + i, (byte) (i + 1));
        }
    }

    private static void putMd1(ByteBuffer volume, int at) {
        volume.putInt(at, 0xA92B4EFC).putInt(at + 4, 1);
        putUuid(volume, at + 16);
        volume.put(at + 32, "host:0".getBytes(StandardCharsets.US_ASCII)).putLong(at + 144, at / 512);
        volume.putInt(at + 220, 3).putShort(at + 256, (short) 1).putInt(at + 258, -1);
        ByteBuffer sb = volume.slice(at, 256 + 2 * 3).order(ByteOrder.LITTLE_ENDIAN);
        volume.putInt(at + 216, (int) MdSuperblock.sum(sb, 216));
    }

    private static void putZfs(ByteBuffer volume, int at) {
        volume.put(at, (byte) 1).put(at + 1, (byte) 1).putInt(at + 8, 1);
        ByteBuffer list = volume.duplicate().position(at + 12);
        list.putInt(36).putInt(32).putInt(7).put("version\0".getBytes(StandardCharsets.US_ASCII));
        list.putInt(8).putInt(1).putLong(5000);
        list.putInt(32).putInt(32).putInt(4).put("name".getBytes(StandardCharsets.US_ASCII));
        list.putInt(9).putInt(1).putInt(4).put("tank".getBytes(StandardCharsets.US_ASCII));
        list.putInt(40).putInt(40).putInt(9).put("pool_guid\0\0\0".getBytes(StandardCharsets.US_ASCII));
        list.putInt(8).putInt(1).putLong(-1);
    }
}
