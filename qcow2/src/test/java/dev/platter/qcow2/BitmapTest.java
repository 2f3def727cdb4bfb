package dev.platter.qcow2;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.platter.core.BitmapInfo;
import dev.platter.core.CorruptImageException;
import dev.platter.core.DiskImage;
import dev.platter.core.DiskImageException;
import dev.platter.core.OpenOptions;
import dev.platter.testkit.Contents;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.function.Consumer;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.MethodSource;

final class BitmapTest {
    private static final long SIZE = 512L * 8 * 512 * 3;

    @Test
    void bitsAreLeastSignificantFirstAndNeighboursAreMerged() throws IOException {
        byte[] bits = new byte[1536];
        bits[16] = 2;
        bits[511] = (byte) 0x80;
        bits[512] = 1;

        try (DiskImage image = image().bitmap("b", 9, 2, bits)
                .bitmapTable("all", 9, 0, 1, 1, 1)
                .open()) {
            assertThat(dirty(image, "b")).containsExactly("66048+512", "2096640+1024");
            assertThat(dirty(image, "all")).containsExactly("0+" + SIZE);
            assertThat(image.bitmaps())
                    .containsExactly(new BitmapInfo("b", 512, false, true), new BitmapInfo("all", 512, false, false));
        }
    }

    @Test
    void lastBitEndsWithTheDisk() throws IOException {
        byte[] bits = {0, (byte) 0xff};
        Qcow2Builder made = new Qcow2Builder(3, 9, 10 * 65536 + 512).bitmap("b", 16, 0, bits);

        try (DiskImage image = made.open()) {
            assertThat(dirty(image, "b")).containsExactly("524288+" + (2 * 65536 + 512));
        }
    }

    @Test
    void visitorCanStop() throws IOException {
        byte[] bits = new byte[1536];
        Arrays.fill(bits, (byte) 0x55);

        try (DiskImage image = image().bitmap("b", 9, 0, bits).open()) {
            int[] seen = {0};
            image.dirtyRanges("b", (offset, length) -> ++seen[0] < 3);
            assertThat(seen[0]).isEqualTo(3);
        }
    }

    @Test
    void bitmapInUseIsListedAndNeverUsed() throws IOException {
        try (DiskImage image = image().bitmapTable("b", 9, 1, 0, 0, 0).open()) {
            assertThat(image.bitmaps()).containsExactly(new BitmapInfo("b", 512, true, false));
            assertThatThrownBy(() -> dirty(image, "b"))
                    .isInstanceOf(DiskImageException.class)
                    .hasMessageContaining("bitmap \"b\" is in use");
        }
    }

    @Test
    void bitmapsAreOutOfDateWithoutTheirAutoclearBit() throws IOException {
        byte[] file = image().bitmapTable("b", 9, 0, 0, 0, 0).build();
        ByteBuffer.wrap(file).putLong(88, 0);

        try (DiskImage image = Qcow2Builder.open(file, OpenOptions.defaults())) {
            assertThat(image.bitmaps()).isEmpty();
            assertThat(image.warnings()).singleElement().asString().contains("out of date");
            assertThatThrownBy(() -> dirty(image, "b")).hasMessageContaining("there is no bitmap \"b\"");
        }
    }

    static Stream<Arguments> directoryDamages() {
        return Stream.of(
                damage("count 0", h -> h.putInt(EXTENSION, 0), "0 bitmaps, allowed are 1 to 65535"),
                damage("count", h -> h.putInt(EXTENSION, 65536), "65536 bitmaps"),
                damage("count 2", h -> h.putInt(EXTENSION, 2), "bitmap directory"),
                damage("size", h -> h.putLong(EXTENSION + 8, -1), "18446744073709551615"),
                damage("offset", h -> h.putLong(EXTENSION + 16, 1), "not aligned"),
                damage("beyond", h -> h.putLong(EXTENSION + 16, 1L << 50), "beyond the end of the file"),
                damage("type", h -> h.put(directory(h) + 16, (byte) 9), "unknown bitmap type 9"),
                damage("granularity", h -> h.put(directory(h) + 17, (byte) 63), "granularity_bits is 63"),
                damage("name", h -> h.putShort(directory(h) + 18, (short) 1024), "the name has 1024 bytes"),
                damage("flags", h -> h.putInt(directory(h) + 12, 4), "flags that are not known"),
                damage("extra", h -> h.putInt(directory(h) + 20, -1), "extra data"));
    }

    @ParameterizedTest(name = "{0}")
    @MethodSource("directoryDamages")
    void damagedDirectoryIsAProblemAndTheDiskStaysReadable(String name, Consumer<ByteBuffer> change, String... parts)
            throws IOException {
        byte[] file = new Qcow2Builder(3, 12, 4096)
                .data(0)
                .bitmap("b", 9, 0, (byte) 1)
                .build();
        change.accept(ByteBuffer.wrap(file));

        try (DiskImage image = Qcow2Builder.open(file, OpenOptions.defaults())) {
            Contents.testBytes(4096).assertAll(image);
            assertThat(image.problems())
                    .singleElement()
                    .extracting(Throwable::getMessage)
                    .asString()
                    .startsWith("test.qcow2: ")
                    .contains(parts);
        }
    }

    static Stream<Arguments> bitmapDamages() {
        return Stream.of(
                damage("table at 0", h -> h.putLong(directory(h), 0), "table is said to be at 0"),
                damage("table unaligned", h -> h.putLong(directory(h), 8), "table is said to be at 8"),
                damage("table beyond", h -> h.putLong(directory(h), 1L << 50), "beyond the end of the file"),
                damage("table short", h -> h.putInt(directory(h) + 8, 0), "has 0 entries, the disk needs 1"),
                damage("bit 0", h -> h.putLong(table(h), h.getLong(table(h)) | 1), "which is invalid"),
                damage("reserved", h -> h.putLong(table(h), h.getLong(table(h)) | 1L << 60), "which is invalid"),
                damage("data beyond", h -> h.putLong(table(h), 1L << 50), "bitmap data", "truncated"));
    }

    @ParameterizedTest(name = "{0}")
    @MethodSource("bitmapDamages")
    void damagedBitmapIsRefusedWhenItIsRead(String name, Consumer<ByteBuffer> change, String... parts)
            throws IOException {
        byte[] file = new Qcow2Builder(3, 12, 4096).bitmap("b", 9, 0, (byte) 1).build();
        change.accept(ByteBuffer.wrap(file));

        try (DiskImage image = Qcow2Builder.open(file, OpenOptions.defaults())) {
            assertThat(image.problems()).isEmpty();
            assertThatThrownBy(() -> dirty(image, "b"))
                    .isInstanceOf(CorruptImageException.class)
                    .message()
                    .startsWith("test.qcow2: ")
                    .contains(parts);
        }
    }

    @Test
    void bitsThatTheFileLostAreNotClean() throws IOException {
        byte[] file = new Qcow2Builder(3, 12, 4096L * 512 * 8)
                .bitmap("b", 12, 0, new byte[512])
                .build();
        ByteBuffer bytes = ByteBuffer.wrap(file);
        byte[] grown = Arrays.copyOf(file, (file.length + 4095) / 4096 * 4096 + 100);
        ByteBuffer.wrap(grown).putLong(table(bytes), grown.length - 100L);

        try (DiskImage image = Qcow2Builder.open(grown, OpenOptions.defaults())) {
            assertThatThrownBy(() -> dirty(image, "b"))
                    .isInstanceOf(CorruptImageException.class)
                    .hasMessageContaining("truncated");
        }
    }

    private static Qcow2Builder image() {
        return new Qcow2Builder(3, 9, SIZE);
    }

    private static List<String> dirty(DiskImage image, String bitmap) throws IOException {
        List<String> ranges = new ArrayList<>();
        image.dirtyRanges(bitmap, (offset, length) -> ranges.add(offset + "+" + length));
        return ranges;
    }

    /** The contents of the bitmaps extension, the only one of these images. */
    private static final int EXTENSION = 112 + 8;

    private static int directory(ByteBuffer file) {
        return (int) file.getLong(EXTENSION + 16);
    }

    private static int table(ByteBuffer file) {
        return (int) file.getLong(directory(file));
    }

    private static Arguments damage(String name, Consumer<ByteBuffer> change, String... parts) {
        return Arguments.of(name, change, parts);
    }
}
