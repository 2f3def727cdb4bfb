package dev.platter.testkit;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.platter.core.BlockDevice;
import dev.platter.core.Features;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ReadOnlyBufferException;
import java.nio.channels.Channels;
import org.junit.jupiter.api.Test;

/** What reading has to do. */
interface ReadContract extends ContractPart {

    @Test
    default void sizeIsThatOfTheContents() {
        assertEquals(contents().size(), device().size());
    }

    @Test
    default void descriptionIsNotEmptyAndHasNoControlCharacters() {
        String description = device().description();

        assertTrue(!description.isBlank(), "the description is empty");
        assertTrue(description.chars().noneMatch(Character::isISOControl), description);
    }

    @Test
    default void featuresAreSane() {
        Features features = device().features();

        assertEquals(!fixture().isWritable(), features.readOnly(), "readOnly");
        assertTrue(features.minimumTransfer() >= 1, features.toString());
        assertTrue(features.preferredTransfer() >= features.minimumTransfer(), features.toString());
        assertTrue(features.maximumTransfer() >= features.preferredTransfer(), features.toString());
        int sector = features.logicalSectorSize();
        assertTrue(sector == 0 || (sector >= 512 && Integer.bitCount(sector) == 1), features.toString());
    }

    @Test
    default void bytesAreThoseExpected() throws IOException {
        long size = device().size();

        for (long at = 0; at < Math.min(size, 16L * MANY); at += MANY) {
            contents().assertRead(device(), at, (int) Math.min(MANY, size - at));
        }
        int tail = (int) Math.min(MANY, size);
        contents().assertRead(device(), size - tail, tail);
    }

    @Test
    default void readsAtEveryEdgeAreExact() throws IOException {
        for (long edge : ContractPart.edges(device().size())) {
            for (int length : ContractPart.smallLengths()) {
                contents().assertRead(device(), edge, (int) Math.min(length, device().size() - edge));
                if (length <= edge) {
                    contents().assertRead(device(), edge - length, length);
                }
            }
        }
    }

    @Test
    default void readSplitInAnyWayGivesTheSameBytes() throws IOException {
        int length = (int) Math.min(8192, device().size());
        for (int step : new int[] {1, 3, 511, 512, 513, 4096}) {
            ByteBuffer whole = ByteBuffer.allocate(length);

            for (int at = 0; at < length; at += step) {
                device().read(at, whole.limit(Math.min(length, at + step)));
            }

            ContractPart.assertFilled(contents(), 0, whole, 0, "reads of " + step + " bytes");
        }
    }

    @Test
    default void randomReadsIntoAllKindsOfBuffersAreExact() throws Exception {
        long size = device().size();
        Seed.run("reads", random -> {
            for (int i = 0; i < 400; i++) {
                int length = ContractPart.randomLength(random, size, 300_000);
                long offset = ContractPart.randomOffset(random, size, length);
                ByteBuffer into = ContractPart.randomBuffer(random, length);
                int start = into.position();

                device().read(offset, into);

                ContractPart.assertFilled(contents(), offset, into, start, "read of " + length + " at " + offset);
            }
        });
    }

    @Test
    default void readTouchesNothingOutsidePositionAndLimit() throws IOException {
        int length = (int) Math.min(100, device().size());
        for (ByteBuffer buffer : new ByteBuffer[] {ByteBuffer.allocate(200), ByteBuffer.allocateDirect(200)}) {
            for (int i = 0; i < 200; i++) {
                buffer.put(i, (byte) 0x5a);
            }

            device().read(0, buffer.position(30).limit(30 + length));

            buffer.clear();
            for (int i = 0; i < 200; i++) {
                if (i < 30 || i >= 30 + length) {
                    assertEquals((byte) 0x5a, buffer.get(i), "byte " + i + " of the buffer");
                }
            }
        }
    }

    @Test
    default void readIntoReadOnlyBufferIsRefused() {
        if (device().size() > 0) {
            ByteBuffer one = ByteBuffer.allocate(1).asReadOnlyBuffer();
            ByteBuffer direct = ByteBuffer.allocateDirect(1).asReadOnlyBuffer();

            assertThrows(ReadOnlyBufferException.class, () -> device().read(0, one));
            assertThrows(ReadOnlyBufferException.class, () -> device().read(0, direct));
        }
    }

    @Test
    default void emptyRequestsDoNothingAnywhereInside() throws IOException {
        long size = device().size();
        for (long at : new long[] {0, size / 2, size}) {
            device().read(at, ByteBuffer.allocate(0));
            device().extents(at, 0, (offset, length, facts, depth, below, belowOffset) -> {
                throw new AssertionError("an empty range has no extents, got one at " + offset);
            });
            assertEquals(0, device().transferTo(at, 0, Channels.newChannel(new ByteArrayOutputStream())));
        }
    }

    @Test
    default void rangesThatLeaveTheDeviceAreRefused() {
        BlockDevice device = device();
        long size = device.size();
        long[][] outside = {
            {size, 1},
            {size + 1, 0},
            {size + 1, 1},
            {size - 1, 2},
            {-1, 0},
            {-1, 1},
            {-1, 2},
            {Long.MAX_VALUE, 1},
            {Long.MAX_VALUE - 1, 2},
            {Long.MIN_VALUE, 1},
            {0, size + 1},
            {1, size},
            {0, Long.MAX_VALUE},
            {0, -1},
            {size, -1},
            {1, Long.MIN_VALUE},
        };
        for (long[] range : outside) {
            long offset = range[0];
            long length = range[1];
            String what = length + " bytes at " + offset;
            if (size == Long.MAX_VALUE || (offset >= 0 && length >= 0 && length <= size - offset)) {
                continue;
            }
            if (length >= 0 && length < MANY) {
                ByteBuffer into = ByteBuffer.allocate((int) length);
                assertThrows(IndexOutOfBoundsException.class, () -> device.read(offset, into), what);
                assertEquals(0, into.position(), what);
            }
            assertThrows(
                    IndexOutOfBoundsException.class,
                    () -> device.extents(offset, length, (at, run, facts, depth, below, belowOffset) -> true),
                    what);
            assertThrows(
                    IndexOutOfBoundsException.class,
                    () -> device.transferTo(offset, length, Channels.newChannel(new ByteArrayOutputStream())),
                    what);
            device.prefetch(offset, length);
        }
    }

    @Test
    default void transferToGivesTheBytesOfReads() throws Exception {
        long size = device().size();
        Seed.run("transfers", random -> {
            for (int i = 0; i < 30; i++) {
                int length = ContractPart.randomLength(random, size, MANY);
                long offset = ContractPart.randomOffset(random, size, length);
                ByteArrayOutputStream out = new ByteArrayOutputStream();

                long done = device().transferTo(offset, length, Channels.newChannel(out));

                assertEquals(length, done);
                assertEquals(length, out.size());
                contents()
                        .assertMatch(
                                offset, ByteBuffer.wrap(out.toByteArray()), "transfer of " + length + " at " + offset);
            }
        });
    }

    @Test
    default void prefetchChangesNothing() throws Exception {
        long size = device().size();
        Seed.run("prefetch", random -> {
            for (int i = 0; i < 50; i++) {
                int length = ContractPart.randomLength(random, size, 100_000);
                long offset = ContractPart.randomOffset(random, size, length);

                device().prefetch(offset, length);

                contents().assertRead(device(), offset, length);
            }
            device().prefetch(0, size);
        });
    }
}
