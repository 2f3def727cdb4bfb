package dev.platter.testkit;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.platter.core.BlockDevice;
import dev.platter.core.BlockDevices;
import dev.platter.core.BlockIOException;
import java.io.IOException;
import java.io.InputStream;
import java.nio.ByteBuffer;
import java.nio.channels.ClosedChannelException;
import java.nio.channels.NonWritableChannelException;
import java.nio.channels.SeekableByteChannel;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class DeviceChannelTest {
    private static final int SIZE = 1000;

    private final BlockDevice device = BlockDevices.ofBytes("bytes", ByteBuffer.wrap(TestBytes.of(0, SIZE)));
    private final SeekableByteChannel channel = BlockDevices.asChannel(device);

    @ParameterizedTest
    @ValueSource(longs = {SIZE, SIZE + 1, SIZE + (1L << 32) - 5, SIZE + (1L << 32), Long.MAX_VALUE})
    void readAtOrBeyondTheEndIsTheEndOfTheStream(long position) throws IOException {
        channel.position(position);

        assertThat(channel.read(ByteBuffer.allocate(10))).isEqualTo(-1);
        assertThat(channel.position()).isEqualTo(position);
    }

    @Test
    void readAcrossTheEndStopsThere() throws IOException {
        ByteBuffer into = ByteBuffer.allocate(10);

        int read = channel.position(SIZE - 3).read(into);

        assertThat(read).isEqualTo(3);
        assertThat(into.position()).isEqualTo(3);
        assertThat(into.limit()).isEqualTo(10);
        assertThat(channel.position()).isEqualTo(SIZE);
    }

    @Test
    void writesGoToThePositionAndNeverBeyondTheEnd() throws IOException {
        assertThat(channel.position(10).write(ByteBuffer.allocate(5))).isEqualTo(5);

        assertThat(channel.position()).isEqualTo(15);
        Contents.zeros(5).assertRead(BlockDevices.slice(device, "written", 10, 5), 0, 5);
        assertThatThrownBy(() -> channel.position(SIZE - 1).write(ByteBuffer.allocate(2)))
                .isInstanceOfSatisfying(
                        BlockIOException.class, e -> assertThat(e.kind()).isEqualTo(BlockIOException.Kind.NO_SPACE));
    }

    @Test
    void truncateMovesThePositionAndNeverShrinks() throws IOException {
        channel.position(SIZE + 10);

        channel.truncate(SIZE + 5);

        assertThat(channel.position()).isEqualTo(SIZE + 5);
        assertThat(channel.size()).isEqualTo(SIZE);
        assertThatThrownBy(() -> channel.truncate(SIZE - 1))
                .isInstanceOf(BlockIOException.class)
                .hasMessageContaining("cannot be changed");
        assertThatThrownBy(() -> channel.truncate(-1)).isInstanceOf(IllegalArgumentException.class);
        assertThatThrownBy(() -> channel.position(-1)).isInstanceOf(IllegalArgumentException.class);
    }

    @Test
    void channelOfReadOnlyDeviceIsNotWritable() {
        SeekableByteChannel readOnly = BlockDevices.asChannel(BlockDevices.readOnly(device));

        assertThatThrownBy(() -> readOnly.write(ByteBuffer.allocate(1)))
                .isInstanceOf(NonWritableChannelException.class);
        assertThatThrownBy(() -> readOnly.truncate(SIZE)).isInstanceOf(NonWritableChannelException.class);
    }

    @Test
    void closedChannelRefusesAndLeavesTheDeviceOpen() throws IOException {
        channel.close();
        channel.close();

        assertThat(channel.isOpen()).isFalse();
        assertThatThrownBy(() -> channel.read(ByteBuffer.allocate(1))).isInstanceOf(ClosedChannelException.class);
        assertThatThrownBy(() -> channel.write(ByteBuffer.allocate(1))).isInstanceOf(ClosedChannelException.class);
        assertThatThrownBy(channel::position).isInstanceOf(ClosedChannelException.class);
        assertThatThrownBy(channel::size).isInstanceOf(ClosedChannelException.class);
        Contents.testBytes(SIZE).assertAll(device);
    }

    @Test
    void streamSkipsAndEnds() throws IOException {
        try (InputStream in = BlockDevices.asInputStream(device)) {
            assertThat(in.available()).isEqualTo(SIZE);
            assertThat(in.skip(990)).isEqualTo(990);
            assertThat(in.skip(-5)).isZero();
            assertThat((byte) in.read()).isEqualTo(TestBytes.at(990));
            assertThat(in.readAllBytes()).isEqualTo(TestBytes.of(991, 9));
            assertThat(in.read()).isEqualTo(-1);
            assertThat(in.read(new byte[4], 1, 2)).isEqualTo(-1);
            assertThat(in.read(new byte[4], 1, 0)).isZero();
            assertThat(in.skip(5)).isZero();
        }
    }
}
