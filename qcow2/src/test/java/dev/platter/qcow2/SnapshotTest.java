package dev.platter.qcow2;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.platter.core.BlockDevice;
import dev.platter.core.CorruptImageException;
import dev.platter.core.DiskImage;
import dev.platter.core.DiskImageException;
import dev.platter.core.LimitExceededException;
import dev.platter.core.Limits;
import dev.platter.core.OpenOptions;
import dev.platter.core.SnapshotInfo;
import dev.platter.testkit.Contents;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.ClosedChannelException;
import java.util.function.Consumer;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.MethodSource;

final class SnapshotTest {
    private static final int CLUSTER = 4096;

    @Test
    void snapshotHasTheBytesAndTheSizeOfItsTime() throws IOException {
        Qcow2Builder made = new Qcow2Builder(3, 12, 600L * CLUSTER)
                .data(0, 1)
                .snapshot("1", "small", 2 * CLUSTER - 512)
                .unmap(1)
                .data(599)
                .snapshot("2", "large", 700L * CLUSTER)
                .unmap(0)
                .unmap(599);

        try (DiskImage image = made.open();
                BlockDevice small = image.openSnapshot("1");
                BlockDevice large = image.openSnapshot("large")) {
            Contents.zeros(600L * CLUSTER).assertAll(image);
            Contents.testBytes(2 * CLUSTER - 512).assertAll(small);
            Contents.testBytes(CLUSTER)
                    .then(Contents.zeros(598L * CLUSTER))
                    .then(Contents.testBytes(600L * CLUSTER).slice(599L * CLUSTER, CLUSTER))
                    .then(Contents.zeros(100L * CLUSTER))
                    .assertAll(large);
            assertThat(image.snapshots())
                    .containsExactly(
                            new SnapshotInfo("1", "small", 0, 1_700_000_000, 5, 7, -1, 2 * CLUSTER - 512),
                            new SnapshotInfo("2", "large", 0, 1_700_000_000, 5, 7, -1, 700L * CLUSTER));
            assertThat(small.description()).isEqualTo("test.qcow2 > snapshot small");
        }
    }

    @Test
    void snapshotOfAnEmptyDiskNeedsNoTable() throws IOException {
        byte[] file = new Qcow2Builder(3, 12, CLUSTER)
                .data(0)
                .snapshot("1", "empty", 0)
                .build();
        ByteBuffer bytes = ByteBuffer.wrap(file);
        bytes.putLong(table(bytes), 0);
        bytes.putInt(table(bytes) + 8, 0);

        try (DiskImage image = Qcow2Builder.open(file, OpenOptions.defaults());
                BlockDevice empty = image.openSnapshot("1")) {
            assertThat(empty.size()).isZero();
            empty.read(0, ByteBuffer.allocate(0));
            empty.extents(0, 0, (offset, length, facts, depth, below, belowOffset) -> {
                throw new AssertionError("extent at " + offset);
            });
        }
    }

    @Test
    void idIsLookedUpBeforeName() throws IOException {
        Qcow2Builder made = new Qcow2Builder(3, 12, 4L * CLUSTER)
                .snapshot("1", "2", CLUSTER)
                .snapshot("2", "1", 2 * CLUSTER);

        try (DiskImage image = made.open()) {
            assertThat(image.openSnapshot("2").size()).isEqualTo(2 * CLUSTER);
            assertThat(image.openSnapshot("1").size()).isEqualTo(CLUSTER);
            assertThatThrownBy(() -> image.openSnapshot("no\033"))
                    .isExactlyInstanceOf(DiskImageException.class)
                    .hasMessageContaining("there is no snapshot \"no\\x1b\"");
        }
    }

    @Test
    void snapshotIsClosedByItselfAndDiesWithItsImage() throws IOException {
        DiskImage image = new Qcow2Builder(3, 12, CLUSTER)
                .data(0)
                .snapshot("1", "s", CLUSTER)
                .open();
        BlockDevice first = image.openSnapshot("1");
        BlockDevice second = image.openSnapshot("1");

        first.close();
        Contents.testBytes(CLUSTER).assertAll(image);
        Contents.testBytes(CLUSTER).assertAll(second);
        image.close();

        assertThatThrownBy(() -> first.read(0, ByteBuffer.allocate(1))).isInstanceOf(ClosedChannelException.class);
        assertThatThrownBy(() -> second.read(0, ByteBuffer.allocate(1))).isInstanceOf(ClosedChannelException.class);
        assertThatThrownBy(() -> image.openSnapshot("1")).isInstanceOf(ClosedChannelException.class);
    }

    static Stream<Arguments> tableDamages() {
        return Stream.of(
                damage("count", h -> h.putInt(60, 65537), "header at 60: 65537 snapshots, at most 65536"),
                damage("count -1", h -> h.putInt(60, -1), "4294967295 snapshots"),
                damage("offset", h -> h.putLong(64, h.getLong(64) + 8), "header at 64: ", "not aligned"),
                damage("offset 0", h -> h.putLong(64, 0), "header at 64: "),
                damage("offset -1", h -> h.putLong(64, -CLUSTER), "header at 64: ", "18446744073709547520"),
                damage("beyond", h -> h.putLong(64, 1L << 50), "snapshot table", "beyond the end of the file"),
                damage("extra", h -> h.putInt(table(h) + 36, 1025), "1025 bytes of extra data, at most 1024"),
                damage("extra -1", h -> h.putInt(table(h) + 36, -1), "4294967295 bytes of extra data"),
                damage("more entries", h -> h.putInt(60, 60_000), "snapshot table"));
    }

    @ParameterizedTest(name = "{0}")
    @MethodSource("tableDamages")
    void damagedTableIsAProblemAndTheDiskStaysReadable(String name, Consumer<ByteBuffer> change, String... parts)
            throws IOException {
        byte[] file = withSnapshot();
        change.accept(ByteBuffer.wrap(file));

        try (DiskImage image = Qcow2Builder.open(file, OpenOptions.defaults())) {
            Contents.testBytes(CLUSTER).assertAll(image);
            assertThat(image.snapshots()).isEmpty();
            assertThat(image.problems())
                    .singleElement()
                    .isInstanceOf(DiskImageException.class)
                    .extracting(Throwable::getMessage)
                    .asString()
                    .startsWith("test.qcow2: ")
                    .contains(parts);
        }
    }

    static Stream<Arguments> snapshotDamages() {
        return Stream.of(
                damage("L1 at 0", h -> h.putLong(table(h), 0), "L1 table is said to be at 0"),
                damage("L1 unaligned", h -> h.putLong(table(h), 4097), "4097", "not aligned"),
                damage("L1 negative", h -> h.putLong(table(h), -CLUSTER), "18446744073709547520"),
                damage("L1 beyond", h -> h.putLong(table(h), 1L << 40), "beyond the end of the file"),
                damage("L1 long", h -> h.putInt(table(h) + 8, -1), "4294967295 entries, at most 4194304"),
                damage("L1 short", h -> h.putInt(table(h) + 8, 0), "has 0 entries", "needs 1"),
                damage("size", h -> h.putLong(table(h) + 48, Long.MAX_VALUE), "needs"),
                damage("size -1", h -> h.putLong(table(h) + 48, -1), "18446744073709551615 bytes"));
    }

    @ParameterizedTest(name = "{0}")
    @MethodSource("snapshotDamages")
    void damagedSnapshotIsListedAndRefusedWhenOpened(String name, Consumer<ByteBuffer> change, String... parts)
            throws IOException {
        byte[] file = withSnapshot();
        change.accept(ByteBuffer.wrap(file));

        try (DiskImage image = Qcow2Builder.open(file, OpenOptions.defaults())) {
            assertThat(image.snapshots()).hasSize(1);
            assertThatThrownBy(() -> image.openSnapshot("1"))
                    .isInstanceOf(CorruptImageException.class)
                    .message()
                    .startsWith("test.qcow2: ")
                    .contains(parts);
        }
    }

    @Test
    void tableLongerThanTheLimitIsAProblem() throws IOException {
        OpenOptions options = OpenOptions.builder()
                .limits(Limits.defaults().withMetadataBytes(32))
                .build();

        try (DiskImage image = Qcow2Builder.open(withSnapshot(), options)) {
            assertThat(image.problems()).singleElement().isInstanceOf(LimitExceededException.class);
        }
    }

    @Test
    void nameIsEscapedWhereItIsShownAndWholeWhereItIsAValue() throws IOException {
        try (DiskImage image = new Qcow2Builder(3, 12, CLUSTER)
                .snapshot("1", "a\033[2J\n", CLUSTER)
                .open()) {
            assertThat(image.snapshots().get(0).name()).isEqualTo("a\033[2J\n");
            assertThat(image.openSnapshot("1").description()).isEqualTo("test.qcow2 > snapshot a\\x1b[2J\\x0a");
        }
    }

    private static byte[] withSnapshot() {
        return new Qcow2Builder(3, 12, CLUSTER)
                .data(0)
                .snapshot("1", "s", CLUSTER)
                .build();
    }

    private static int table(ByteBuffer file) {
        return (int) file.getLong(64);
    }

    private static Arguments damage(String name, Consumer<ByteBuffer> change, String... parts) {
        return Arguments.of(name, change, parts);
    }
}
