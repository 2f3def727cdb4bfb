package dev.platter.testkit;

import dev.platter.core.DiskImageException;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Deque;
import java.util.List;
import java.util.Random;

/**
 * Changes good images at random, as an attacker or a dying disk would, and gives each to a reader, which may succeed or
 * throw a {@link DiskImageException}, and nothing else: {@link Promises} says what is checked. The changes follow from {@link Seed}; a failure names the seed,
 * the round and what was changed. One working copy is changed and restored, so that large images cost no more than small
 * ones.
 */
public final class Mutations {
    private static final long[] FIELDS = {
        0,
        1,
        2,
        3,
        7,
        8,
        9,
        0x1f,
        0x20,
        0x3f,
        0x40,
        0x7f,
        0x80,
        0xff,
        0x100,
        0x1ff,
        0x200,
        0x7fff,
        0x8000,
        0xffff,
        0x10000,
        0x7fff_ffffL,
        0x8000_0000L,
        0xffff_ffffL,
        0x1_0000_0000L,
        1L << 40,
        1L << 53,
        1L << 62,
        Long.MAX_VALUE,
        Long.MIN_VALUE,
        -1,
        -2,
        -512,
    };

    private record Range(int offset, int length) {}

    /** What was there before a change. */
    private record Undo(int offset, ByteBuffer old) {}

    private final String name;
    private final byte[] bytes;
    private final List<Range> ranges = new ArrayList<>();
    private int rounds = 500;
    private long maximumAllocation = Long.MAX_VALUE;
    private boolean truncating;

    private Mutations(String name, byte[] bytes) {
        this.name = name;
        this.bytes = bytes;
    }

    /**
     * Begins with a good image.
     *
     * @param name which begins the message of a failure, and chooses the random numbers
     * @param original is copied
     */
    public static Mutations of(String name, byte[] original) {
        return new Mutations(name, original.clone());
    }

    /** Changes only these bytes, and those of other calls: where the metadata is. */
    public Mutations within(int offset, int length) {
        int start = Math.min(Math.max(0, offset), bytes.length);
        int inside = Math.min(length, bytes.length - start);
        if (inside > 0) {
            ranges.add(new Range(start, inside));
        }
        return this;
    }

    /** Sets how many changed images are tried; 500 otherwise. */
    public Mutations rounds(int count) {
        rounds = count;
        return this;
    }

    /** Also cuts some images off. */
    public Mutations truncating() {
        truncating = true;
        return this;
    }

    /** Demands that a round allocates no more heap on its thread. */
    public Mutations allocatingAtMost(long bytesOfHeap) {
        maximumAllocation = bytesOfHeap;
        return this;
    }

    /** Runs all rounds. */
    public void run(Reader reader) {
        if (ranges.isEmpty()) {
            within(0, bytes.length);
        }
        Random random = Seed.random(name);
        for (int round = 0; round < rounds; round++) {
            Deque<Undo> undo = new ArrayDeque<>();
            List<String> changes = new ArrayList<>();
            for (int i = 1 + random.nextInt(4); i > 0; i--) {
                change(random, undo, changes);
            }
            ByteBuffer image = ByteBuffer.wrap(bytes).asReadOnlyBuffer();
            if (truncating && random.nextInt(8) == 0) {
                image.limit(random.nextInt(bytes.length + 1));
                changes.add("cut to " + image.limit());
            }
            try {
                Promises.ofMetadata(image.limit())
                        .allocatingAtMost(maximumAllocation)
                        .check(() -> reader.read(image.slice()));
            } catch (RuntimeException | Error e) {
                throw new AssertionError(
                        name + ", round " + round + " [repeat with " + Seed.repeat() + "]: " + changes + ": " + e, e);
            }
            while (!undo.isEmpty()) {
                Undo last = undo.pop();
                last.old.get(0, bytes, last.offset, last.old.capacity());
            }
        }
    }

    private void change(Random random, Deque<Undo> undo, List<String> changes) {
        if (ranges.isEmpty()) {
            return;
        }
        Range range = ranges.get(random.nextInt(ranges.size()));
        int at = range.offset + random.nextInt(range.length);
        int room = range.offset + range.length - at;
        switch (random.nextInt(6)) {
            case 0 -> {
                keep(at, 1, undo);
                bytes[at] ^= (byte) (1 << random.nextInt(8));
                changes.add("bit at " + at);
            }
            case 1 -> {
                keep(at, 1, undo);
                bytes[at] = (byte) random.nextInt();
                changes.add("byte at " + at);
            }
            case 2 -> {
                int length = Math.min(room, 1 + random.nextInt(64));
                keep(at, length, undo);
                Arrays.fill(bytes, at, at + length, (byte) (random.nextBoolean() ? 0 : 0xff));
                changes.add(length + " equal bytes at " + at);
            }
            case 3 -> {
                int length = Math.min(room, 1 + random.nextInt(128));
                int from = range.offset + random.nextInt(range.length - length + 1);
                keep(at, length, undo);
                System.arraycopy(bytes, from, bytes, at, length);
                changes.add(length + " bytes of " + from + " at " + at);
            }
            default -> changeField(random, at, range, undo, changes);
        }
    }

    /** Puts a value that is often a border into an aligned field of 2, 4 or 8 bytes of either order. */
    private void changeField(Random random, int at, Range range, Deque<Undo> undo, List<String> changes) {
        int width = 2 << random.nextInt(3);
        int aligned = at - at % width;
        if (aligned < range.offset || aligned + width > range.offset + range.length) {
            return;
        }
        long value = FIELDS[random.nextInt(FIELDS.length)];
        boolean bigEndian = random.nextBoolean();
        keep(aligned, width, undo);
        for (int i = 0; i < width; i++) {
            bytes[aligned + i] = (byte) (value >> (8 * (bigEndian ? width - 1 - i : i)));
        }
        changes.add(width + " bytes at " + aligned + " = " + value + (bigEndian ? " (big-endian)" : ""));
    }

    private void keep(int offset, int length, Deque<Undo> undo) {
        undo.push(new Undo(offset, ByteBuffer.wrap(Arrays.copyOfRange(bytes, offset, offset + length))));
    }

    /** What is given the changed images. */
    @FunctionalInterface
    public interface Reader {
        /**
         * Reads a changed image, which is valid during the call.
         *
         * @throws DiskImageException if the image is refused; that is a good answer
         * @throws IOException never otherwise
         */
        void read(ByteBuffer image) throws IOException;
    }
}
