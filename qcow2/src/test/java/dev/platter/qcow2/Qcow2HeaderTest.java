package dev.platter.qcow2;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.platter.core.CorruptImageException;
import dev.platter.core.DiskImage;
import dev.platter.core.DiskImageException;
import dev.platter.core.DiskImages;
import dev.platter.core.OpenOptions;
import dev.platter.core.ReadOnlyDeviceException;
import dev.platter.core.UnsupportedFeatureException;
import dev.platter.core.Warning;
import dev.platter.testkit.CrashStorage;
import dev.platter.testkit.TestBytes;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.util.Arrays;
import java.util.function.Consumer;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.MethodSource;
import org.junit.jupiter.params.provider.ValueSource;

final class Qcow2HeaderTest {
    private static final int BITS = 12;
    private static final int FEATURE_NAMES = 0x6803f857;

    static Stream<Arguments> damages() {
        return Stream.of(
                corrupt("version 0", h -> h.putInt(4, 0), "header at 4: the version is 0"),
                unsupported("version 1", h -> h.putInt(4, 1), "qcow image of version 1"),
                corrupt("version 4", h -> h.putInt(4, 4), "header at 4: the version is 4"),
                corrupt("version -1", h -> h.putInt(4, -1), "header at 4: the version is 4294967295"),
                corrupt(
                        "backing offset",
                        h -> h.putLong(8, 4097),
                        "header at 8: ",
                        "4097",
                        "first cluster (4096 bytes)"),
                corrupt("backing offset -1", h -> h.putLong(8, -1), "header at 8: ", "18446744073709551615"),
                corrupt("backing length", h -> h.putLong(8, 200).putInt(16, 1024), "header at 16: ", "1024", "1023"),
                corrupt("backing end", h -> h.putLong(8, 4000).putInt(16, 97), "header at 16: ", "97", "96"),
                corrupt("backing NUL", h -> h.putLong(8, 200).putInt(16, 3), "holds a NUL"),
                corrupt("cluster bits 8", h -> h.putInt(20, 8), "header at 20: cluster_bits is 8, allowed are 9 to 21"),
                corrupt("cluster bits 22", h -> h.putInt(20, 22), "cluster_bits is 22, allowed are 9 to 21"),
                corrupt("cluster bits -1", h -> h.putInt(20, -1), "cluster_bits is 4294967295"),
                corrupt("size 2^63", h -> h.putLong(24, Long.MIN_VALUE), "header at 24: ", "9223372036854775808"),
                corrupt("size 2^62", h -> h.putLong(24, 1L << 62), "header at 36: the L1 table has 1 entries"),
                corrupt("size 2^63-1", h -> h.putLong(24, Long.MAX_VALUE), "header at 36: the L1 table has 1 entries"),
                unsupported("crypt 3", h -> h.putInt(32, 3), "header at 32: unknown encryption method 3"),
                corrupt(
                        "LUKS without header",
                        h -> h.putInt(32, 2),
                        "header at 32: ",
                        "crypto header extension is missing"),
                corrupt("no L1", h -> h.putInt(36, 0), "header at 36: the L1 table has 0 entries", "needs 1"),
                corrupt(
                        "L1 too long",
                        h -> h.putInt(36, (4 << 20) + 1),
                        "header at 36: ",
                        "4194305",
                        "at most 4194304"),
                corrupt("L1 -1", h -> h.putInt(36, -1), "4294967295 entries"),
                corrupt("L1 at 0", h -> h.putLong(40, 0), "header at 40: ", "where the header is"),
                corrupt("L1 unaligned", h -> h.putLong(40, 4097), "header at 40: ", "4097", "not aligned"),
                corrupt("L1 negative", h -> h.putLong(40, -4096), "header at 40: ", "18446744073709547520"),
                corrupt("L1 beyond", h -> h.putLong(40, 1L << 40), "L1 table", "1099511627776", "truncated"),
                corrupt("refcounts unaligned", h -> h.putLong(48, 1), "header at 48: ", "not aligned"),
                unsupported("unknown feature", h -> h.putLong(72, 1 << 5), "header at 72: ", "bit 5"),
                unsupported("many features", h -> h.putLong(72, -1L << 62 | 1 << 7), "bit 7, bit 62, bit 63"),
                corrupt("extended, small", h -> h.putLong(72, 16), "header at 20: ", "extended L2", "14"),
                corrupt(
                        "refcount order",
                        h -> h.putInt(96, 7),
                        "header at 96: refcount_order is 7, allowed are 0 to 6"),
                corrupt("header length 103", h -> h.putInt(100, 103), "header at 100: header_length is 103"),
                corrupt("header length", h -> h.putInt(100, 4104), "4104", "104 to the cluster size 4096"),
                corrupt("header length 108", h -> h.putInt(100, 108), "108", "no multiple of 8"),
                unsupported("compression 2", h -> h.put(104, (byte) 2), "header at 104: unknown compression type 2"),
                corrupt("zstd, no bit", h -> h.put(104, (byte) 1), "header at 104: ", "bit 3", "not set"),
                corrupt("bit, no zstd", h -> h.putLong(72, 8), "header at 104: ", "bit 3", "is set"),
                corrupt("extension", h -> h.putInt(112, 1).putInt(116, 5000), "extension at 112: ", "5000", "3976"),
                corrupt("extension -1", h -> h.putInt(112, 1).putInt(116, -1), "extension at 112: ", "4294967295"),
                corrupt("format", h -> h.putInt(112, 0xe2792aca).putInt(116, 16), "at most 15"),
                corrupt("bitmaps", h -> h.putInt(112, 0x23852875).putInt(116, 23), "bitmaps extension has 23 bytes"),
                corrupt("crypto", h -> h.putInt(112, 0x0537be77).putInt(116, 8), "crypto header extension has 8"));
    }

    @ParameterizedTest(name = "{0}")
    @MethodSource("damages")
    void damageIsNamedWithItsPlace(
            String name, Consumer<ByteBuffer> change, Class<? extends Exception> type, String... parts) {
        byte[] file = image();

        change.accept(ByteBuffer.wrap(file));

        assertThatThrownBy(() -> open(file)).isExactlyInstanceOf(type).hasMessageStartingWith("test.qcow2: ");
        for (String part : parts) {
            assertThatThrownBy(() -> open(file)).hasMessageContaining(part);
        }
    }

    @ParameterizedTest
    @ValueSource(ints = {4, 8, 71, 72, 103, 104, 111, 112, 119, 4096, 4103})
    void fileThatEndsBeforeTheTablesIsCalledTruncated(int length) {
        byte[] file = Arrays.copyOf(image(), length);

        assertThatThrownBy(() -> open(file))
                .isInstanceOf(CorruptImageException.class)
                .hasMessageContaining("truncated");
    }

    @Test
    void unknownFeatureIsNamedAsTheImageNamesItButEscaped() {
        ByteBuffer names = ByteBuffer.allocate(96);
        names.put(0, (byte) 0).put(1, (byte) 9).put(2, "evil\033[31m\u202e".getBytes(StandardCharsets.UTF_8));
        names.put(48, (byte) 1).put(49, (byte) 9).put(50, "compatible".getBytes(StandardCharsets.UTF_8));
        byte[] file = new Qcow2Builder(3, BITS, 4096)
                .extension(FEATURE_NAMES, names.array())
                .incompatible(1 << 9)
                .build();

        assertThatThrownBy(() -> open(file))
                .isInstanceOf(UnsupportedFeatureException.class)
                .hasMessageContaining("bit 9 (\"evil\\x1b[31m\\u202e\")");
    }

    @Test
    void namesOfFeaturesThatCannotBeAreNotKept() throws IOException {
        byte[] names = new byte[48 * 80];
        for (int i = 0; i < 80; i++) {
            names[48 * i] = (byte) (3 + i);
            names[48 * i + 1] = (byte) i;
            names[48 * i + 2] = 'x';
        }
        byte[] file =
                new Qcow2Builder(3, BITS, 4096).extension(FEATURE_NAMES, names).build();

        Qcow2Header header = Qcow2Header.read(Qcow2Builder.storage(file));

        assertThat(header.extensions().featureNames()).isEmpty();
    }

    @Test
    void autoclearAndCompatibleFeaturesThatAreNotKnownAreIgnored() throws IOException {
        byte[] file = image();
        ByteBuffer.wrap(file).putLong(80, -1).putLong(88, ~3L);

        try (DiskImage image = open(file)) {
            assertThat(image.problems()).isEmpty();
            assertThat(image.warnings()).isEmpty();
        }
    }

    @Test
    void sizeThatIsNoMultipleOf512IsRoundedDownWithWarning() throws IOException {
        byte[] file = image();
        ByteBuffer.wrap(file).putLong(24, 1000);

        try (DiskImage image = open(file)) {
            assertThat(image.size()).isEqualTo(512);
            assertThat(image.warnings())
                    .singleElement()
                    .extracting(Warning::text)
                    .asString()
                    .startsWith("test.qcow2: ")
                    .contains("1000", "512");
        }
    }

    @Test
    void dirtyAndCorruptBitsAreWarningsThatNameTheFile() throws IOException {
        byte[] file = new Qcow2Builder(3, BITS, 4096).incompatible(3).data(0).build();

        try (DiskImage image = open(file)) {
            assertThat(image.warnings())
                    .hasSize(2)
                    .allSatisfy(warning -> assertThat(warning.text()).startsWith("test.qcow2: "));
            assertThat(image.info().dirty()).isTrue();
            assertThat(image.info().formatSpecific()).containsEntry("corrupt", true);
        }
    }

    static Stream<Arguments> borders() {
        byte[] longest = "b".repeat(1023).getBytes(StandardCharsets.US_ASCII);
        return Stream.of(
                Arguments.of("header without what came later", change(h -> h.putInt(100, 104))),
                Arguments.of("header as long as the cluster", change(h -> h.putInt(100, 4096))),
                Arguments.of("largest L1 table", change(h -> h.putInt(36, 4 << 20))),
                Arguments.of("zstd", change(h -> h.putLong(72, 8).put(104, (byte) 1))),
                Arguments.of("widest refcounts", change(h -> h.putInt(96, 6))),
                Arguments.of(
                        "longest name",
                        change(h -> h.putLong(8, 200).putInt(16, 1023).put(200, longest))),
                Arguments.of(
                        "name up to the end of the cluster",
                        change(h -> h.putLong(8, 4000).putInt(16, 96).put(4000, longest, 0, 96))),
                Arguments.of("place of a name that is empty", change(h -> h.putLong(8, 4096))));
    }

    private static Consumer<ByteBuffer> change(Consumer<ByteBuffer> change) {
        return change;
    }

    @ParameterizedTest(name = "{0}")
    @MethodSource("borders")
    void valuesAtTheBordersAreFine(String name, Consumer<ByteBuffer> change) throws IOException {
        byte[] file = image();

        change.accept(ByteBuffer.wrap(file));

        assertThat(Qcow2Header.read(Qcow2Builder.storage(file)).warnings()).isEmpty();
    }

    @Test
    void largestRefcountTableIsFine() throws IOException {
        byte[] file = image();
        ByteBuffer.wrap(file).putInt(56, (8 << 20) / 4096);

        assertThat(Qcow2Header.read(Qcow2Builder.storage(file)).warnings()).isEmpty();
    }

    @Test
    void refcountTableThatCannotBeIsWarningOnly() throws IOException {
        byte[] file = image();
        ByteBuffer.wrap(file).putInt(56, -1);

        try (DiskImage image = open(file)) {
            assertThat(image.warnings()).singleElement().asString().contains("4294967295 clusters");
        }
    }

    @Test
    void headerLengthThatIsLongerThanKnownFieldsIsFine() throws IOException {
        byte[] file = new Qcow2Builder(3, BITS, 4096).data(0).build();
        ByteBuffer.wrap(file).putInt(100, 1024).putInt(112, -1);

        try (DiskImage image = open(file)) {
            ByteBuffer into = ByteBuffer.allocate(4096);
            image.read(0, into);
            assertThat(into.array()).isEqualTo(TestBytes.of(0, 4096));
        }
    }

    @Test
    void whatCannotBeWrittenIsRefusedByName() {
        OpenOptions writable = OpenOptions.builder().writable(true).build();
        byte[] corrupt = new Qcow2Builder(3, BITS, 4096)
                .incompatible(Qcow2Header.INCOMPAT_CORRUPT)
                .build();
        byte[] encrypted =
                new Qcow2Builder(3, BITS, 4096).encrypted(Qcow2Header.CRYPT_AES).build();

        assertThatThrownBy(() -> Qcow2Builder.open(image(), writable)).isInstanceOf(ReadOnlyDeviceException.class);
        assertThatThrownBy(() -> DiskImages.open(new CrashStorage("a.qcow2", corrupt), writable))
                .isInstanceOf(CorruptImageException.class)
                .hasMessageContaining("marked as corrupt");
        assertThatThrownBy(() -> DiskImages.open(new CrashStorage("a.qcow2", encrypted), writable))
                .isInstanceOf(UnsupportedFeatureException.class)
                .hasMessageContaining("encrypted");
    }

    @Test
    void everythingWithTheMagicIsClaimedHoweverShort() {
        Qcow2Format format = new Qcow2Format();

        assertThat(format.claims(ByteBuffer.wrap(new byte[] {0x51, 0x46, 0x49, (byte) 0xfb})))
                .isTrue();
        assertThat(format.claims(ByteBuffer.wrap(new byte[] {0x51, 0x46, 0x49})))
                .isFalse();
        assertThat(format.claims(ByteBuffer.wrap(new byte[] {0x51, 0x46, 0x49, 0x7b})))
                .isFalse();
        assertThat(format.claims(ByteBuffer.allocate(0))).isFalse();
    }

    private static byte[] image() {
        return new Qcow2Builder(3, BITS, 4096).build();
    }

    private static DiskImage open(byte[] file) throws IOException {
        return Qcow2Builder.open(file, OpenOptions.defaults());
    }

    private static Arguments corrupt(String name, Consumer<ByteBuffer> change, String... parts) {
        return Arguments.of(name, change, CorruptImageException.class, parts);
    }

    private static Arguments unsupported(String name, Consumer<ByteBuffer> change, String... parts) {
        return Arguments.of(name, change, UnsupportedFeatureException.class, parts);
    }

    /** Every message is one line, whatever it quotes. */
    @ParameterizedTest(name = "{0}")
    @MethodSource("damages")
    void messageIsOnePrintableLine(
            String name, Consumer<ByteBuffer> change, Class<? extends Exception> type, String... parts) {
        byte[] file = image();

        change.accept(ByteBuffer.wrap(file));

        assertThatThrownBy(() -> open(file))
                .isInstanceOf(DiskImageException.class)
                .message()
                .doesNotEndWith(".")
                .matches("\\P{Cntrl}+");
    }
}
