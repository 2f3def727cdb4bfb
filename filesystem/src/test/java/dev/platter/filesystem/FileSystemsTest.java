package dev.platter.filesystem;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.platter.core.BlockDevice;
import dev.platter.core.Limits;
import dev.platter.core.Printable;
import dev.platter.testkit.Corpus;
import dev.platter.testkit.CountingAllocation;
import dev.platter.testkit.Faults;
import dev.platter.testkit.FaultyDevice;
import dev.platter.testkit.RecordingDevice;
import dev.platter.testkit.RequestLog;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.channels.ClosedChannelException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class FileSystemsTest {
    private static final int MIB = 1 << 20;

    @ParameterizedTest
    @ValueSource(ints = {0, 1, 511, 512, 1024, 1025, 1081, 4095, 4096, 65536, 69631, 69632, 69633, 2 * MIB})
    void volumeOfZerosHoldsNothing(int size) throws IOException {
        Recognition recognition = TestVolumes.recognise(ByteBuffer.allocate(size));

        assertThat(recognition.found()).isEmpty();
        assertThat(recognition.ambiguous()).isEmpty();
        assertThat(recognition.warnings()).isEmpty();
    }

    @Test
    void firstSignatureWinsOnAFloppy() throws IOException {
        ByteBuffer floppy = swapAndSquashfs(1440 << 10);

        Recognition recognition = TestVolumes.recognise(floppy);

        assertThat(TestVolumes.one(recognition).type()).isEqualTo("swap");
        assertThat(recognition.ambiguous()).isEmpty();
    }

    @Test
    void twoSignaturesOnAnythingLargerContradictEachOther() throws IOException {
        ByteBuffer volume = swapAndSquashfs((1440 << 10) + 1);

        Recognition recognition = TestVolumes.recognise(volume);

        assertThat(recognition.found()).isEmpty();
        assertThat(recognition.ambiguous()).containsExactly(new Signature("swap", 4086), new Signature("squashfs", 0));
    }

    @Test
    void partitionTableOfAHybridIsoIsNoFileSystem() throws IOException {
        byte[] iso = Files.readAllBytes(Corpus.assumeCorpus().unpack("bare-iso9660.raw"));
        ByteBuffer hybrid = ByteBuffer.wrap(iso).order(ByteOrder.LITTLE_ENDIAN);
        hybrid.put(446, (byte) 0x80)
                .put(450, (byte) 0x17)
                .putInt(458, iso.length / 512)
                .putShort(510, (short) 0xAA55);

        Recognition recognition = TestVolumes.recognise(hybrid);

        assertThat(TestVolumes.one(recognition).type()).isEqualTo("iso9660");
        assertThat(recognition.warnings()).isEmpty();
    }

    @Test
    void snippetOfTheReadmeWorks() throws IOException {
        BlockDevice volume = TestVolumes.of(swapAndSquashfs(4096 * 10));

        List<String> printed = new ArrayList<>();
        Recognition recognition = FileSystems.recognise(volume, Limits.defaults());
        for (FileSystem one : recognition.found()) {
            String label = one.label();
            printed.add(one.type() + " " + Printable.escape(label == null ? "" : label));
            DiskUsage usage = one.usage();
            if (usage != null) {
                printed.add(usage.usedKiB() + " KiB of " + usage.totalKiB());
            }
        }

        assertThat(printed).containsExactly("swap ");
    }

    @Test
    void unreadableRangeHidesOnlyWhatLiesInIt() throws IOException {
        ByteBuffer volume = swapAndSquashfs(4 * MIB);
        Faults faults = new Faults().failReads(100, 1);
        BlockDevice device = new FaultyDevice(TestVolumes.of(volume), faults);

        Recognition first = FileSystems.recognise(device, Limits.defaults());
        faults.heal().failReads(8192, 1).failReads(4 * MIB - 1024, 1).failReads(MIB, 1);
        Recognition second = FileSystems.recognise(device, Limits.defaults());

        assertThat(first.found()).isEmpty();
        assertThat(first.warnings())
                .singleElement()
                .asString()
                .contains("4096 bytes at 0 cannot be read")
                .contains("failed as the test wants");
        assertThat(second.ambiguous()).hasSize(2);
        assertThat(second.warnings()).extracting(warning -> warning.offset()).contains(8192L, (long) MIB);
    }

    @Test
    void closedVolumeIsNoDamagedVolume() throws IOException {
        BlockDevice device = TestVolumes.of(ByteBuffer.allocate(MIB));
        device.close();

        assertThatThrownBy(() -> FileSystems.recognise(device, Limits.defaults()))
                .isInstanceOf(ClosedChannelException.class);
    }

    @Test
    void emptyVolumeTakesAHandfulOfReads() throws IOException {
        RecordingDevice device = new RecordingDevice(TestVolumes.of(ByteBuffer.allocate(128 * MIB)));

        FileSystems.recognise(device, Limits.defaults());

        assertThat(device.log().count(RequestLog.Kind.READ)).isLessThanOrEqualTo(8);
        assertThat(device.log().bytes(RequestLog.Kind.READ)).isLessThanOrEqualTo(96 << 10);
    }

    @ParameterizedTest
    @ValueSource(strings = {"bare-ext4.raw", "bare-xfs.raw", "bare-btrfs.raw", "bare-ntfs.raw", "bare-fat32.raw"})
    void recognitionAllocatesLittle(String file) throws Exception {
        Corpus corpus = Corpus.assumeCorpus();
        ByteBuffer bytes = ByteBuffer.wrap(Files.readAllBytes(corpus.unpack(file)));
        TestVolumes.recognise(bytes);

        long allocated = CountingAllocation.of(() -> TestVolumes.recognise(bytes));

        assertThat(allocated).isLessThan(1 << 20);
    }

    @Test
    void headOfAVolumeIsReadIntoTheRoomOfTheOneBefore() throws Exception {
        ByteBuffer zeros = ByteBuffer.allocate(MIB);
        TestVolumes.recognise(zeros);

        long allocated = CountingAllocation.of(() -> TestVolumes.recognise(zeros));

        assertThat(allocated).isLessThan(Volume.HEAD_BYTES);
    }

    @Test
    void nothingOfAVolumeShowsInTheNext() throws IOException {
        TestVolumes.recognise(swapAndSquashfs(2 * MIB));

        Recognition recognition = TestVolumes.recognise(ByteBuffer.allocate(8192));

        assertThat(recognition.found()).isEmpty();
        assertThat(recognition.warnings()).isEmpty();
    }

    @Test
    void allocationDataBeyondTheLimitIsNotRead() throws IOException {
        Corpus corpus = Corpus.assumeCorpus();
        Recognition recognition;
        try (BlockDevice device = TestVolumes.open(corpus.unpack("bare-fat32.raw"))) {
            recognition = FileSystems.recognise(device, Limits.defaults().withMetadataBytes(64 << 10));
        }

        FileSystem found = TestVolumes.one(recognition);

        assertThat(found.usage()).isNotNull().extracting(DiskUsage::exact).isEqualTo(false);
        assertThat(found.free()).isEqualTo(36990464);
    }

    @ParameterizedTest
    @ValueSource(strings = {"bare-ext4.raw", "bare-xfs.raw", "bare-btrfs.raw", "bare-ntfs.raw", "bare-fat16.raw"})
    void fileSystemThatIsCutOffIsRecognisedWithAWarning(String file) throws IOException {
        Corpus corpus = Corpus.assumeCorpus();
        ByteBuffer bytes = ByteBuffer.wrap(Files.readAllBytes(corpus.unpack(file)));
        bytes.limit(bytes.limit() - MIB);

        FileSystem found = TestVolumes.one(TestVolumes.recognise(bytes.slice()));

        assertThat(found.warnings()).asString().contains("bytes long, the volume ends after " + bytes.limit());
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "bare-ext4.raw, 1224, ext4: superblock at 1024: checksum is 0x",
                "bare-xfs.raw, 200, xfs: superblock at 0: checksum is 0x",
                "bare-btrfs.raw, 68000, btrfs: superblock at 65536: checksum is",
                "pv-whole-disk.raw, 1000, LVM2_member: label at 512: checksum is 0x",
            })
    void wrongChecksumIsToldAndNotRecognised(String row) throws IOException {
        String[] parts = row.split(", ", 3);
        byte[] bytes = Files.readAllBytes(Corpus.assumeCorpus().unpack(parts[0]));
        bytes[Integer.parseInt(parts[1])] ^= 1;

        Recognition recognition = TestVolumes.recognise(ByteBuffer.wrap(bytes));

        assertThat(recognition.found()).isEmpty();
        assertThat(recognition.warnings())
                .singleElement()
                .asString()
                .contains(parts[2])
                .contains(", computed is ");
    }

    private static ByteBuffer swapAndSquashfs(int size) {
        ByteBuffer volume = ByteBuffer.allocate(size).order(ByteOrder.LITTLE_ENDIAN);
        volume.put(0, "hsqs".getBytes(StandardCharsets.US_ASCII)).putShort(28, (short) 4);
        volume.putInt(12, 131072).putLong(40, 1000);
        volume.put(4086, "SWAPSPACE2".getBytes(StandardCharsets.US_ASCII));
        return volume.putInt(1024, 1).putInt(1028, 10);
    }
}
