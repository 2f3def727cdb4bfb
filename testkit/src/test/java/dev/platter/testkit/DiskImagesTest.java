package dev.platter.testkit;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.platter.core.BlockDevices;
import dev.platter.core.BlockIOException;
import dev.platter.core.CheckListener;
import dev.platter.core.DiskImage;
import dev.platter.core.DiskImageException;
import dev.platter.core.DiskImages;
import dev.platter.core.Durability;
import dev.platter.core.OpenOptions;
import dev.platter.core.Storage;
import dev.platter.core.Storages;
import dev.platter.core.UnsupportedFeatureException;
import dev.platter.core.Warning;
import dev.platter.testkit.RequestLog.Kind;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HexFormat;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

class DiskImagesTest {
    private static final OpenOptions RAW = OpenOptions.builder().format("raw").build();

    @TempDir
    Path folder;

    private static RecordingStorage storage(byte[] bytes) {
        return new RecordingStorage(Storages.of(
                BlockDevices.ofBytes("disk.img", ByteBuffer.wrap(bytes).asReadOnlyBuffer())));
    }

    private static byte[] withMagic(int offset, String hex) {
        byte[] bytes = new byte[8192];
        byte[] magic = HexFormat.of().parseHex(hex);
        System.arraycopy(magic, 0, bytes, offset, magic.length);
        return bytes;
    }

    @ParameterizedTest
    @CsvSource({
        "qcow2 or qcow, 0, 514649fb00000003",
        "qcow2 or qcow, 0, 514649fb00000001",
        "QED, 0, 51454400",
        "VMDK, 0, 4b444d5601000000",
        "VMDK, 0, 434f574401000000",
        "VMDK (descriptor), 0, 23204469736b2044657363726970746f7246696c65",
        "VHD, 0, 636f6e6563746978",
        "VHD (fixed), 7680, 636f6e6563746978",
        "VHDX, 0, 7668647866696c65",
        "VDI, 64, 7f10dabe",
        "Parallels, 0, 576974686f7574467265655370616365",
        "Parallels, 0, 576974686f75467265537061634578740a",
        "gzip, 0, 1f8b08",
        "xz, 0, fd377a585a00",
        "zstd, 0, 28b52ffd",
        "bzip2, 0, 425a6839",
    })
    void knownContainerIsNamedAndNotTakenForRaw(String name, int offset, String hex) throws IOException {
        byte[] bytes = withMagic(offset, hex);
        RecordingStorage storage = storage(bytes);

        assertThatThrownBy(() -> DiskImages.open(storage, OpenOptions.defaults()))
                .isInstanceOf(UnsupportedFeatureException.class)
                .hasMessageContaining("disk.img: this is " + name + ", which cannot be read")
                .hasMessageContaining("-f raw");
        assertThat(storage.log().count(Kind.CLOSE)).isEqualTo(1);

        try (DiskImage image = DiskImages.open(storage(bytes), RAW)) {
            Contents.of(bytes).assertAll(image);
        }
    }

    @ParameterizedTest
    @ValueSource(strings = {"vmdk", "vdi", "vhdx", "vpc", "qed", "qcow", "parallels"})
    void containerThatQemuMadeIsNamed(String format) throws IOException {
        Path file = TempImages.qemu(folder, "disk.img", format, 1 << 20);

        assertThatThrownBy(() -> DiskImages.open(file))
                .isInstanceOf(UnsupportedFeatureException.class)
                .hasMessageStartingWith("disk.img: this is ");
    }

    @ParameterizedTest
    @ValueSource(strings = {"monolithicFlat", "twoGbMaxExtentSparse", "streamOptimized"})
    void everyKindOfVmdkIsNamed(String kind) throws IOException {
        Path file = TempImages.qemu(folder, "disk.vmdk", "vmdk", 1 << 20, "-o", "subformat=" + kind);

        assertThatThrownBy(() -> DiskImages.open(file)).hasMessageContaining("this is VMDK");
    }

    @Test
    void fixedVhdThatQemuMadeIsNamedByItsFooter() throws IOException {
        Path file = TempImages.qemu(folder, "disk.vhd", "vpc", 1 << 20, "-o", "subformat=fixed");

        assertThatThrownBy(() -> DiskImages.open(file)).hasMessageContaining("this is VHD (fixed)");
    }

    @ParameterizedTest
    @ValueSource(ints = {0, 1, 3, 4, 63, 64, 66, 511, 512, 513, 4095, 4096, 4097})
    void whateverHasNoMagicIsRawHoweverShort(int size) throws IOException {
        try (DiskImage image = DiskImages.open(storage(TestBytes.of(0, size)), OpenOptions.defaults())) {
            assertThat(image.info().format()).isEqualTo("raw");
            assertThat(image.info().virtualSize()).isEqualTo(size);
            Contents.testBytes(size).assertAll(image);
        }
    }

    @ParameterizedTest
    @ValueSource(strings = {"Q", "QFI", "QED", "conecti", "vhdxfil", "\u001f\u008b"})
    void partOfAMagicIsNoMagic(String begin) throws IOException {
        byte[] bytes = begin.getBytes(StandardCharsets.ISO_8859_1);

        try (DiskImage image = DiskImages.open(storage(bytes), OpenOptions.defaults())) {
            assertThat(image.info().format()).isEqualTo("raw");
        }
    }

    @Test
    void whatIsStatedToBeRawIsNeverLookedAt() throws IOException {
        RecordingStorage storage = storage(withMagic(0, "514649fb00000003"));

        try (DiskImage image = DiskImages.open(storage, RAW)) {
            assertThat(image.info().format()).isEqualTo("raw");
            assertThat(storage.log().all()).isEmpty();
        }
        assertThat(storage.log().count(Kind.CLOSE)).isEqualTo(1);
    }

    @Test
    void unknownFormatIsRefusedByNameWithThoseKnown() {
        OpenOptions options = OpenOptions.builder().format("vm\u001bdk").build();
        RecordingStorage storage = storage(new byte[512]);

        assertThatThrownBy(() -> DiskImages.open(storage, options))
                .isInstanceOf(UnsupportedFeatureException.class)
                .hasMessageContaining("the stated format \"vm\\x1bdk\" cannot be read")
                .hasMessageContaining("raw");
        assertThat(storage.log().count(Kind.READ)).isZero();
        assertThat(storage.log().count(Kind.CLOSE)).isEqualTo(1);
        assertThat(DiskImages.formats()).contains("raw");
    }

    @Test
    void storageThatFailsDuringProbingIsClosed() {
        RecordingStorage storage = storage(new byte[512]);

        assertThatThrownBy(() -> DiskImages.open(
                        new FaultyStorage(storage, new Faults().failReads(0, 1)), OpenOptions.defaults()))
                .hasMessageContaining("failed as the test wants");
        assertThat(storage.log().count(Kind.CLOSE)).isEqualTo(1);
    }

    @Test
    void storageThatEndsEarlyIsProbedByWhatIsThere() throws IOException {
        try (DiskImage image =
                DiskImages.open(new ShortStorage(storage(TestBytes.of(0, 8192)), 2), OpenOptions.defaults())) {
            Contents.testBytes(2).assertRead(image, 0, 2);
            assertThatThrownBy(() -> image.read(0, ByteBuffer.allocate(3))).hasMessageContaining("ended after 2");
        }
    }

    @Test
    void rawImageHasNoSnapshotsBitmapsBackingOrChecks() throws IOException {
        Path file = TempImages.raw(folder, "disk.raw", TestBytes.of(0, 513));
        try (DiskImage image = DiskImages.open(file)) {
            assertThat(image.info().filename()).isEqualTo(file.toString());
            assertThat(image.info().clusterSize()).isNull();
            assertThat(image.info().formatSpecific()).isEmpty();
            assertThat(image.snapshots()).isEmpty();
            assertThat(image.bitmaps()).isEmpty();
            assertThat(image.backing()).isNull();
            assertThat(image.problems()).isEmpty();
            assertThat(image.warnings()).isEmpty();
            assertThat(image.isCheckable()).isFalse();
            assertThatThrownBy(() -> image.openSnapshot("a\u0007"))
                    .isInstanceOf(DiskImageException.class)
                    .hasMessageContaining("\"a\\x07\"");
            assertThatThrownBy(() -> image.dirtyRanges("b", (offset, length) -> true))
                    .isInstanceOf(DiskImageException.class);
            assertThatThrownBy(() -> image.check(new CheckListener() {}))
                    .isInstanceOf(UnsupportedFeatureException.class);
        }
    }

    @Test
    void imageOnAnotherDeviceIsFoundThere() throws IOException {
        Storage storage = Storages.of(BlockDevices.slice(
                BlockDevices.ofBytes("disk", ByteBuffer.wrap(TestBytes.of(0, 4096))), "partition 1", 1024, 2048));

        try (DiskImage image = DiskImages.open(storage, OpenOptions.defaults())) {
            assertThat(image.description()).isEqualTo("disk > partition 1");
            Contents.testBytes(4096).slice(1024, 2048).assertAll(image);
        }
    }

    @Test
    void guestDoesNotMakeItsRawDiskLookLikeAnotherFormat() throws IOException {
        Path file = TempImages.raw(folder, "guest.img", Contents.testBytes(8192));
        byte[] header = "QFI\u00fb\0\0\0\3".getBytes(StandardCharsets.ISO_8859_1);
        OpenOptions probed = OpenOptions.builder().writable(true).build();

        try (DiskImage image = DiskImages.open(file, probed)) {
            image.write(4, ByteBuffer.wrap(header, 4, 4), Durability.NONE);
            assertThatThrownBy(() -> image.write(0, ByteBuffer.wrap(header, 0, 4), Durability.NONE))
                    .isInstanceOf(BlockIOException.class)
                    .hasMessageContaining("guest.img: write at 0")
                    .hasMessageContaining("-f raw");
            image.write(512, ByteBuffer.wrap(header), Durability.NONE);
        }
        try (DiskImage image =
                DiskImages.open(file, probed.toBuilder().format("raw").build())) {
            image.write(0, ByteBuffer.wrap(header), Durability.NONE);
        }
    }

    /** What a server exports. */
    private static Storage disk(byte[] bytes) {
        return new ForwardingStorage(storage(bytes)) {
            @Override
            public boolean isDisk() {
                return true;
            }
        };
    }

    @Test
    void diskIsRawWhateverItBeginsWithAndOneWarningSaysSo() throws IOException {
        byte[] bytes = withMagic(0, "514649fb00000003");
        List<Warning> warnings = new ArrayList<>();
        OpenOptions options = OpenOptions.builder().onWarning(warnings::add).build();

        try (DiskImage image = DiskImages.open(disk(bytes), options)) {
            assertThat(image.info().format()).isEqualTo("raw");
            Contents.of(bytes).assertAll(image);
        }

        assertThat(warnings).singleElement().asString().contains("disk.img: this begins as qcow2", "--format=qcow2");
    }

    @ParameterizedTest
    @ValueSource(strings = {"4b444d56", "00000000", "1f8b08"})
    void diskOfWhichNobodyCouldSayMoreIsRaw(String hex) throws IOException {
        byte[] bytes = withMagic(0, hex);

        try (DiskImage image = DiskImages.open(disk(bytes), OpenOptions.defaults())) {
            assertThat(image.info().format()).isEqualTo("raw");
            Contents.of(bytes).assertAll(image);
        }
    }

    @Test
    void guestOfADiskMayWriteWhatItLikesToItsBeginning() throws IOException {
        Path file = TempImages.raw(folder, "exported.img", Contents.testBytes(8192));
        byte[] header = "QFI\u00fb\0\0\0\3".getBytes(StandardCharsets.ISO_8859_1);
        Storage exported = new ForwardingStorage(Storages.open(file, true)) {
            @Override
            public boolean isDisk() {
                return true;
            }
        };

        try (DiskImage image =
                DiskImages.open(exported, OpenOptions.builder().writable(true).build())) {
            image.write(0, ByteBuffer.wrap(header), Durability.NONE);

            Contents.of(header).assertRead(image, 0, header.length);
        }
    }
}
