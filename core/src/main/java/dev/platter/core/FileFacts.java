package dev.platter.core;

import java.io.Closeable;
import java.io.IOException;
import java.nio.file.Path;
import java.util.OptionalLong;
import org.jspecify.annotations.Nullable;

/**
 * A service: what an operating system knows of a file, and can do with it, beyond what Java can ask. Pure Java cannot find
 * the holes of a sparse file, make new ones, nor tell the space that it takes on disk; without an implementation on the path
 * every byte of a raw file counts as allocated data, {@code actual-size} is absent, and zeros are written. Found by {@link
 * java.util.ServiceLoader}, once; the first implementation whose {@link #isSupported} says so is used.
 */
public interface FileFacts {

    /** Returns whether this implementation works on this operating system. */
    boolean isSupported();

    /** Returns the bytes that a file takes on its medium. */
    OptionalLong allocatedSize(Path file) throws IOException;

    /** Opens a finder of holes. */
    Holes openHoles(Path file) throws IOException;

    /** Returns the geometry of a block device, or null for any other file. */
    @Nullable
    Geometry geometry(Path file) throws IOException;

    /**
     * Opens a file for writing and keeps other writers out until it is closed: those of other programs that ask for locks,
     * and of this process.
     *
     * @throws BlockIOException of kind {@code BUSY} if somebody else has it open for writing; the message says who, as far
     *     as that can be found out
     */
    Changes openChanges(Path file) throws IOException;

    /**
     * What a block device is made of.
     *
     * @param size bytes
     * @param logicalSectorSize bytes of the smallest request
     * @param physicalSectorSize bytes of the smallest write that needs no read before
     */
    record Geometry(long size, int logicalSectorSize, int physicalSectorSize) {}

    /** Finds the holes of one open file. Safe for many threads. */
    interface Holes extends Closeable {

        /** Returns the first byte of data at or after {@code offset}; the size of the file if there is none. */
        long nextData(long offset) throws IOException;

        /** Returns the first byte of a hole at or after {@code offset}; the size of the file if there is none. */
        long nextHole(long offset) throws IOException;
    }

    /** Changes one open file in ways that Java does not know. Safe for many threads. */
    interface Changes extends Closeable {

        /** Returns whether {@link #discard} frees space. */
        boolean freesSpace();

        /** Returns whether {@link #zero} with {@link ZeroMode#FAST_UNMAP} succeeds. */
        boolean zeroesFast();

        /**
         * Makes a range of existing bytes read as zeros.
         *
         * @return false if this mode cannot be had for this range, and nothing was done
         */
        boolean zero(long offset, long length, ZeroMode mode) throws IOException;

        /** Gives back the space of a range, whose contents are undefined afterwards, or does nothing. */
        void discard(long offset, long length) throws IOException;
    }
}
