package dev.platter.testkit;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;

import dev.platter.core.BlockDevice;
import dev.platter.core.BlockDevices;
import dev.platter.core.Durability;
import dev.platter.core.Extents;
import dev.platter.core.PreparingDevice;
import dev.platter.core.ReadOnlyDeviceException;
import java.io.IOException;
import java.io.InputStream;
import java.nio.ByteBuffer;
import java.nio.channels.ClosedChannelException;
import java.nio.channels.SeekableByteChannel;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import org.junit.jupiter.api.Test;

/** That every view over the device passes on what the device can do. */
interface ViewContract extends ContractPart {

    @Test
    default void sliceIsAPartOfTheDevice() throws IOException {
        long start = device().size() / 3;
        long length = device().size() / 2;

        BlockDevice slice = BlockDevices.slice(device(), "part", start, length);

        assertEquals(device().features(), slice.features());
        assertEquals(device().description() + " > part", slice.description());
        assertView(slice, start);
        slice.close();
        assertThrows(ClosedChannelException.class, () -> slice.read(0, ByteBuffer.allocate(0)));
        contents().assertRead(device(), 0, (int) Math.min(1, length));
    }

    @Test
    default void readOnlyViewOnlyReads() throws IOException {
        BlockDevice view = BlockDevices.readOnly(device());

        assertEquals(device().features().asReadOnly(), view.features());
        assertView(view, 0);
        assertThrows(ReadOnlyDeviceException.class, () -> view.write(0, ByteBuffer.allocate(0), Durability.NONE));
    }

    @Test
    default void owningViewIsTheDeviceAndClosesIt() throws IOException {
        List<String> closed = new ArrayList<>();
        BlockDevice view = BlockDevices.owning(device(), () -> closed.add("first"), () -> closed.add("second"));

        assertEquals(device().features(), view.features());
        assertView(view, 0);
        view.close();
        view.close();
        assertEquals(List.of("first", "second"), closed);
        assertThrows(ClosedChannelException.class, () -> device().read(0, ByteBuffer.allocate(0)));
    }

    @Test
    default void viewsPrepareWritesIfTheDeviceDoes() throws IOException {
        long start = device().size() / 3;
        long size = device().size() / 2;

        BlockDevice slice = BlockDevices.slice(device(), "part", start, size);
        BlockDevice owning = BlockDevices.owning(device());

        boolean prepares = device() instanceof PreparingDevice;
        assertEquals(prepares, slice instanceof PreparingDevice);
        assertEquals(prepares, owning instanceof PreparingDevice);
        if (slice instanceof PreparingDevice part && owning instanceof PreparingDevice whole) {
            int length = (int) Math.min(70_000, device().size() / 3);
            assertPrepares(part, size - length, start + size - length, length);
            assertPrepares(whole, 0, 0, length);
            slice.close();
            assertThrows(ClosedChannelException.class, () -> part.prepare(0, ByteBuffer.allocate(0)));
        }
    }

    private void assertPrepares(PreparingDevice view, long offset, long inDevice, int length) throws IOException {
        byte[] bytes = new byte[length];
        Arrays.fill(bytes, (byte) 0x5a);
        ByteBuffer found = ByteBuffer.allocate(length);

        PreparingDevice.Prepared prepared = view.prepare(offset, ByteBuffer.wrap(bytes));

        contents().assertRead(device(), inDevice, length);
        prepared.write();
        device().read(inDevice, found);
        assertArrayEquals(bytes, found.array());
        assertThrows(IndexOutOfBoundsException.class, () -> view.prepare(view.size(), ByteBuffer.allocate(1)));
    }

    @Test
    default void concatOfTheDevicesHalvesIsTheDevice() throws IOException {
        long half = device().size() / 2;
        BlockDevice first = BlockDevices.slice(device(), "first half", 0, half);
        BlockDevice second = BlockDevices.slice(device(), "second half", half, device().size() - half);

        BlockDevice view = BlockDevices.concat("both", List.of(first, second));

        assertEquals(device().features(), view.features());
        assertView(view, 0);
    }

    @Test
    default void channelReadsTheDeviceInOrder() throws IOException {
        int length = (int) Math.min(MANY, device().size());
        ByteBuffer all = ByteBuffer.allocate(length);

        try (SeekableByteChannel channel = BlockDevices.asChannel(device())) {
            assertEquals(device().size(), channel.size());
            while (all.hasRemaining() && channel.read(all) >= 0) {
                assertEquals(all.position(), channel.position());
            }
            channel.position(device().size());
            assertEquals(-1, channel.read(ByteBuffer.allocate(1)));
        }

        ContractPart.assertFilled(contents(), 0, all, 0, "channel");
    }

    @Test
    default void streamReadsTheDeviceInOrder() throws IOException {
        int length = (int) Math.min(MANY, device().size());

        try (InputStream in = BlockDevices.asInputStream(device())) {
            assertArrayEquals(contents().bytes(0, length), in.readNBytes(length));
        }
    }

    /** Asserts that a view shows the device from {@code start} on, and knows of it what the device knows. */
    private void assertView(BlockDevice view, long start) throws IOException {
        long size = view.size();
        int ends = (int) Math.min(70_000, size);
        Contents expected = contents().slice(start, size);
        expected.assertRead(view, 0, ends);
        expected.assertRead(view, size - ends, ends);
        expected.assertRead(view, Math.max(0, size / 2 - ends / 2), ends);

        assertEquals(facts(device(), start, ends), facts(view, 0, ends));
        assertThrows(IndexOutOfBoundsException.class, () -> view.read(size, ByteBuffer.allocate(1)));
        assertThrows(IndexOutOfBoundsException.class, () -> view.read(-1, ByteBuffer.allocate(0)));
        view.prefetch(0, size);
        view.prefetch(-1, Long.MAX_VALUE);
    }

    /** Returns where the facts of a range change, whatever lies below. */
    private static List<String> facts(BlockDevice device, long offset, long length) throws IOException {
        List<String> changes = new ArrayList<>();
        String[] last = {""};
        Extents.forEach(device, offset, length, extent -> {
            String known = extent.facts() + " depth " + extent.depth();
            if (!known.equals(last[0])) {
                changes.add((extent.offset() - offset) + ": " + known);
            }
            last[0] = known;
            return true;
        });
        return changes;
    }
}
