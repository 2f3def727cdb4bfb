package dev.platter.core;

import java.io.Closeable;
import java.io.IOException;
import java.nio.file.Path;
import java.util.OptionalLong;

/**
 * A service: what an operating system knows of a file beyond what Java can ask. Pure Java cannot find the holes of a
 * sparse file nor the space that it takes on disk; without an implementation on the path every byte of a raw file counts
 * as allocated data, and {@code actual-size} is absent. Found by {@link java.util.ServiceLoader}, once; the first
 * implementation whose {@link #isSupported} says so is used.
 */
public interface FileFacts {

    /** Returns whether this implementation works on this operating system. */
    boolean isSupported();

    /** Returns the bytes that a file takes on its medium. */
    OptionalLong allocatedSize(Path file) throws IOException;

    /** Opens a finder of holes. */
    Holes openHoles(Path file) throws IOException;

    /** Finds the holes of one open file. Safe for many threads. */
    interface Holes extends Closeable {

        /** Returns the first byte of data at or after {@code offset}; the size of the file if there is none. */
        long nextData(long offset) throws IOException;

        /** Returns the first byte of a hole at or after {@code offset}; the size of the file if there is none. */
        long nextHole(long offset) throws IOException;
    }
}
