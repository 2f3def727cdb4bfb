package dev.platter.testkit;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.platter.core.BlockDevice;
import dev.platter.core.BlockDevices;
import dev.platter.core.Durability;
import dev.platter.core.ReadOnlyDeviceException;
import dev.platter.core.ZeroMode;
import dev.platter.testkit.RequestLog.Kind;
import dev.platter.testkit.RequestLog.Request;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.Channels;
import java.nio.channels.WritableByteChannel;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;

/** That views pass each request on as it is, once, with its borders moved and nothing else. */
class ViewTest {
    private static final int SIZE = 10_000;

    private static RecordingDevice recording(long offset, int length) {
        return new RecordingDevice(BlockDevices.ofBytes("bytes", ByteBuffer.wrap(TestBytes.of(offset, length))));
    }

    private static void allRequests(BlockDevice view, long offset, int length) throws IOException {
        view.read(offset, ByteBuffer.allocate(length));
        view.transferTo(offset, length, Channels.newChannel(new ByteArrayOutputStream()));
        view.extents(offset, length, (at, run, facts, depth, below, belowOffset) -> true);
        view.prefetch(offset, length);
        if (!view.features().readOnly()) {
            view.write(offset, ByteBuffer.allocate(length), Durability.NONE);
            view.writeZeroes(offset, length, ZeroMode.MAY_UNMAP, Durability.NONE);
            view.discard(offset, length);
        }
    }

    private static List<Request> expected(long offset, int length, boolean writable) {
        List<Request> expected = new ArrayList<>();
        for (Kind kind : List.of(Kind.READ, Kind.TRANSFER, Kind.EXTENTS, Kind.PREFETCH)) {
            expected.add(new Request(kind, offset, length));
        }
        if (writable) {
            for (Kind kind : List.of(Kind.WRITE, Kind.WRITE_ZEROES, Kind.DISCARD)) {
                expected.add(new Request(kind, offset, length));
            }
        }
        return expected;
    }

    @Test
    void sliceMovesEveryRequest() throws IOException {
        RecordingDevice base = recording(0, SIZE);

        allRequests(BlockDevices.slice(base, "part", 1000, 500), 100, 400);

        assertThat(base.log().all()).isEqualTo(expected(1100, 400, true));
    }

    @Test
    void readOnlyViewPassesReadingOn() throws IOException {
        RecordingDevice base = recording(0, SIZE);

        allRequests(BlockDevices.readOnly(base), 100, 400);

        assertThat(base.log().all()).isEqualTo(expected(100, 400, false));
    }

    @Test
    void owningViewPassesAllOn() throws IOException {
        RecordingDevice base = recording(0, SIZE);

        allRequests(BlockDevices.owning(base), 100, 400);

        assertThat(base.log().all()).isEqualTo(expected(100, 400, true));
    }

    @Test
    void concatAsksEachPartOnceForItsShare() throws IOException {
        RecordingDevice first = recording(0, 300);
        RecordingDevice second = recording(300, 100);
        RecordingDevice third = recording(400, 600);

        allRequests(BlockDevices.concat("joined", List.of(first, second, third)), 250, 200);

        assertThat(first.log().all()).isEqualTo(expected(250, 50, true));
        assertThat(second.log().all()).isEqualTo(expected(0, 100, true));
        assertThat(third.log().all()).isEqualTo(expected(0, 50, true));
    }

    @Test
    void flushOfConcatFlushesEveryPart() throws IOException {
        RecordingDevice first = recording(0, 300);
        RecordingDevice second = recording(300, 100);

        BlockDevices.concat("joined", List.of(first, second)).flush();

        assertThat(first.log().count(Kind.FLUSH)).isEqualTo(1);
        assertThat(second.log().count(Kind.FLUSH)).isEqualTo(1);
    }

    @Test
    void closingAViewLeavesItsBaseOpen() throws IOException {
        RecordingDevice base = recording(0, SIZE);

        BlockDevices.slice(base, "part", 0, 1).close();
        BlockDevices.readOnly(base).close();
        BlockDevices.concat("joined", List.of(base, base)).close();

        assertThat(base.log().count(Kind.CLOSE)).isZero();
    }

    @Test
    void concatWithAReadOnlyPartRefusesWritesToTheOthersToo() throws IOException {
        RecordingDevice writable = recording(0, 300);
        BlockDevice joined =
                BlockDevices.concat("joined", List.of(writable, BlockDevices.readOnly(recording(300, 100))));

        assertThatThrownBy(() -> joined.write(0, ByteBuffer.allocate(10), Durability.NONE))
                .isInstanceOf(ReadOnlyDeviceException.class)
                .hasMessageContaining("joined");
        assertThatThrownBy(() -> joined.write(290, ByteBuffer.allocate(20), Durability.NONE))
                .isInstanceOf(ReadOnlyDeviceException.class);
        assertThat(writable.log().all()).isEmpty();
    }

    @Test
    void transferOfConcatStopsWhereTheChannelTakesNoMore() throws IOException {
        BlockDevice joined = BlockDevices.concat("joined", List.of(recording(0, 300), recording(300, 100)));
        ByteBuffer taken = ByteBuffer.allocate(200);

        long done = joined.transferTo(50, 350, new FullChannel(taken));

        assertThat(done).isEqualTo(200);
        Contents.testBytes(400).assertMatch(50, taken.flip(), "transfer");
    }

    @Test
    void sliceThatLeavesItsBaseIsRefused() {
        RecordingDevice base = recording(0, SIZE);

        for (long[] range : new long[][] {{0, SIZE + 1}, {SIZE, 1}, {-1, 1}, {1, -1}, {1, Long.MAX_VALUE}}) {
            assertThatThrownBy(() -> BlockDevices.slice(base, "part", range[0], range[1]))
                    .isInstanceOf(IndexOutOfBoundsException.class)
                    .hasMessageContaining("leave the device (10000 bytes)");
        }
    }

    @Test
    void concatOfNothingOrTooMuchIsRefused() {
        assertThatThrownBy(() -> BlockDevices.concat("joined", List.of())).isInstanceOf(IllegalArgumentException.class);
        assertThatThrownBy(
                        () -> BlockDevices.concat("joined", List.of(new ZeroDevice(Long.MAX_VALUE), new ZeroDevice(1))))
                .isInstanceOf(IllegalArgumentException.class)
                .hasMessageContaining("2^63-1");
    }

    @Test
    void controlCharactersOfNamesNeverReachDescriptions() {
        BlockDevice bytes = BlockDevices.ofBytes("a\u001b[2J", ByteBuffer.allocate(1));

        assertThat(bytes.description()).isEqualTo("a\\x1b[2J");
        assertThat(BlockDevices.slice(bytes, "b\nc", 0, 1).description()).isEqualTo("a\\x1b[2J > b\\x0ac");
        assertThat(BlockDevices.concat("d\u0007", List.of(bytes)).description()).isEqualTo("d\\x07");
    }

    @Test
    void owningViewClosesAllEvenWhenOneFails() {
        List<String> closed = new ArrayList<>();
        BlockDevice view = BlockDevices.owning(
                recording(0, 1),
                () -> {
                    throw new IOException("first");
                },
                () -> closed.add("second"));

        assertThatThrownBy(view::close).isInstanceOf(IOException.class).hasMessage("first");
        assertThat(closed).containsExactly("second");
    }

    /** A channel that is full when its buffer is. */
    private record FullChannel(ByteBuffer taken) implements WritableByteChannel {
        @Override
        public int write(ByteBuffer from) {
            int run = Math.min(from.remaining(), taken.remaining());
            taken.put(from.slice().limit(run));
            from.position(from.position() + run);
            return run;
        }

        @Override
        public boolean isOpen() {
            return true;
        }

        @Override
        public void close() {
            taken.limit(taken.position());
        }
    }
}
