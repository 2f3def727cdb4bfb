package dev.platter.qcow2;

import dev.platter.core.BlockDevice;
import dev.platter.core.BlockIOException;
import dev.platter.core.Bounds;
import dev.platter.core.CorruptImageException;
import dev.platter.core.DiskImageException;
import dev.platter.core.Durability;
import dev.platter.core.Extent;
import dev.platter.core.ExtentVisitor;
import dev.platter.core.Features;
import dev.platter.core.OpenOptions;
import dev.platter.core.ReadOnlyDeviceException;
import dev.platter.core.Storage;
import dev.platter.core.Warning;
import dev.platter.core.ZeroMode;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.ClosedChannelException;
import java.nio.channels.WritableByteChannel;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.function.Consumer;
import org.jspecify.annotations.Nullable;

/**
 * A file in clusters: the qcow2 file itself, or its external data file. As a device it ends at a cluster border; what the
 * file lacks of its last cluster reads as zeros, as qemu leaves it.
 */
final class HostFile implements BlockDevice {
    static final ByteBuffer ZEROS = ByteBuffer.allocateDirect(64 * 1024).asReadOnlyBuffer();

    /** Warnings of zeros in place of bytes; an image can be made of nothing else. */
    private static final int MAX_ZEROS_WARNINGS = 16;

    private final Storage storage;
    private final long clusterSize;
    private final boolean zerosBeyondEnd;
    private final Consumer<? super Warning> onWarning;
    private final @Nullable DiskImageException problem;

    /** Offsets that zeros were given for, each of which is told once. */
    private final Set<Long> zerosWarned = ConcurrentHashMap.newKeySet();

    private volatile long size;
    private volatile @Nullable IOException broken;
    private volatile boolean closed;

    HostFile(Storage storage, long clusterSize, OpenOptions options) throws IOException {
        this(storage, clusterSize, options, storage.size(), null);
    }

    private HostFile(
            Storage storage, long clusterSize, OpenOptions options, long size, @Nullable DiskImageException problem) {
        this.storage = storage;
        this.clusterSize = clusterSize;
        this.problem = problem;
        this.zerosBeyondEnd = options.truncatedFile() == OpenOptions.TruncatedFile.ZEROS;
        this.onWarning = options.onWarning();
        this.size = size;
    }

    /** A data file that cannot be opened: clusters have their place in it, and reading them says why they cannot be. */
    static HostFile unavailable(HostFile image, OpenOptions options, DiskImageException problem) {
        return new HostFile(image.storage, image.clusterSize, options, Long.MAX_VALUE / 2, problem);
    }

    /** Returns why the file cannot be read, or null. */
    @Nullable
    DiskImageException problem() {
        return problem;
    }

    Storage storage() {
        return storage;
    }

    String name() {
        return storage.name();
    }

    /** The size of the file when it was last asked. */
    long fileSize() {
        return size;
    }

    /**
     * Returns where the next bytes of a table that are not all zero begin: most entries of most tables are.
     *
     * @param table from its beginning to its limit, 64 KiB at most; its position is moved
     * @return a multiple of 16, a whole number of entries; the limit if nothing but zeros follows {@code from}
     */
    static int nextUsed(ByteBuffer table, int from) {
        int equal = table.position(from).mismatch(ZEROS);
        return equal < 0 || from + equal >= table.limit() ? table.limit() : (from + equal) & -16;
    }

    /** Returns whether the bytes lie in the file; asks for its size again before it says no. */
    boolean holds(long offset, long length) throws IOException {
        return Bounds.inside(offset, length, size) || Bounds.inside(offset, length, askSize());
    }

    /** Asks for the size of the file, which may have changed; a file that we write does not become smaller. */
    long askSize() throws IOException {
        long now = storage.size();
        if (storage.isReadOnly()) {
            size = now;
            return now;
        }
        return grown(now);
    }

    /** Returns whether zeros take the place of what lies beyond the end; the warning is given here. */
    boolean zerosFor(String what, long offset) {
        if (zerosBeyondEnd && zerosWarned.size() < MAX_ZEROS_WARNINGS && zerosWarned.add(offset)) {
            String end = zerosWarned.size() < MAX_ZEROS_WARNINGS ? "" : "; more of this kind are not reported";
            onWarning.accept(new Warning(offset, beyond(what, offset) + ": it reads as zeros" + end));
        }
        return zerosBeyondEnd;
    }

    CorruptImageException truncated(String what, long offset) {
        return new CorruptImageException(beyond(what, offset) + ": the image is truncated; --truncated=zeros reads on");
    }

    private String beyond(String what, long offset) {
        return name() + ": " + what + " at " + offset + " lies beyond the end of the file (" + size + " bytes)";
    }

    /**
     * Reads a table that must lie wholly in the file, or what is there of it where zeros may take its place.
     *
     * @param what what it is, for the message: {@code "L2 table"}
     * @param offset first byte of the table
     * @param length bytes of the table, all of which must be in the file
     * @param from first byte of the part that is read
     */
    void readTable(String what, long offset, long length, long from, ByteBuffer into) throws IOException {
        boolean whole = holds(offset, length);
        if (!whole && !zerosFor(what, offset)) {
            throw truncated(what, offset);
        }
        storage.read(from, into);
        if (into.hasRemaining()) {
            // the file was cut since its size was asked
            askSize();
            if (whole && into.position() < length - (from - offset) && !zerosFor(what, offset)) {
                throw truncated(what, offset);
            }
            fillZeros(into, into.remaining());
        }
    }

    /** Reads bytes, with zeros for all that lies beyond the end of the file. */
    void readPadded(long offset, ByteBuffer into) throws IOException {
        storage.read(offset, into);
        fillZeros(into, into.remaining());
    }

    /** Reads bytes of data clusters that begin in the file; what it lacks of the last of them is zeros. */
    void readClusters(long offset, ByteBuffer into) throws IOException {
        if (problem != null) {
            throw Problems.copy(problem);
        }
        int read = storage.read(offset, into);
        if (into.hasRemaining()) {
            padLastCluster(offset + read, into);
        }
    }

    /** Hands bytes of data clusters to a channel; see {@link Storage#transferTo}. */
    long transferClusters(long offset, long length, WritableByteChannel to) throws IOException {
        return problem == null ? storage.transferTo(offset, length, to) : 0;
    }

    /** Clusters that begin beyond the end are missing only if the file was cut since its size was asked. */
    private void padLastCluster(long offset, ByteBuffer into) throws IOException {
        long end = Math.min(askSize(), offset);
        long firstMissing = (end + clusterSize - 1) & -clusterSize;
        if (into.remaining() > firstMissing - offset && !zerosFor("data cluster", firstMissing)) {
            throw truncated("data cluster", firstMissing);
        }
        fillZeros(into, into.remaining());
    }

    /** Writes bytes; the file grows where it has to. */
    void write(long offset, ByteBuffer from) throws IOException {
        requireUnbroken();
        long end = offset + from.remaining();
        try {
            storage.write(offset, from);
        } finally {
            // also what was written in part is no hole any more
            if (end > size) {
                grown(end);
            }
        }
    }

    /** Writes zeros; the file grows where it has to. */
    void writeZeros(long offset, long length) throws IOException {
        requireUnbroken();
        long inside = Math.max(0, Math.min(length, size - offset));
        storage.writeZeroes(offset, inside, ZeroMode.KEEP_ALLOCATION);
        if (inside < length) {
            grown(offset + length);
            ByteBuffer zeros = ZEROS.duplicate();
            for (long at = offset + inside; at < offset + length; at += zeros.limit()) {
                zeros.clear().limit((int) Math.min(zeros.capacity(), offset + length - at));
                storage.write(at, zeros);
            }
        }
    }

    /**
     * Makes all that was written durable. Once that failed, nothing more is written: the system may have dropped what it
     * could not write, and would call the next attempt a success.
     */
    void sync() throws IOException {
        requireUnbroken();
        try {
            storage.flush();
        } catch (ClosedChannelException e) {
            throw e;
        } catch (IOException e) {
            breakOff(e);
            throw e;
        }
    }

    /** Writes nothing more, because of this. */
    void breakOff(IOException cause) {
        broken = cause;
    }

    /** Throws if nothing more may be written. */
    void requireUnbroken() throws BlockIOException {
        IOException cause = broken;
        if (cause != null) {
            throw new BlockIOException(
                    BlockIOException.Kind.IO,
                    name() + ": nothing more is written before it is opened again, because this failed: "
                            + cause.getMessage(),
                    cause);
        }
    }

    private synchronized long grown(long end) {
        size = Math.max(size, end);
        return size;
    }

    /** Puts zeros, without allocating. */
    static void fillZeros(ByteBuffer into, long length) {
        for (long left = length; left > 0; ) {
            int run = (int) Math.min(left, ZEROS.capacity());
            into.put(into.position(), ZEROS, 0, run);
            into.position(into.position() + run);
            left -= run;
        }
    }

    @Override
    public long size() {
        long bytes = size;
        return bytes > Long.MAX_VALUE - clusterSize ? bytes : (bytes + clusterSize - 1) & -clusterSize;
    }

    @Override
    public String description() {
        return name();
    }

    @Override
    public Features features() {
        return storage.features().asReadOnly();
    }

    @Override
    public void read(long offset, ByteBuffer into) throws IOException {
        begin(offset, into.remaining());
        readClusters(offset, into);
    }

    @Override
    public void extents(long offset, long length, ExtentVisitor visitor) throws IOException {
        begin(offset, length);
        long inFile = Math.max(0, Math.min(length, size - offset));
        boolean[] goOn = {true};
        if (inFile > 0) {
            storage.extents(offset, inFile, (at, run, facts, depth, below, belowOffset) -> {
                goOn[0] = visitor.extent(at, run, facts, depth, below, belowOffset);
                return goOn[0];
            });
        }
        if (goOn[0] && inFile < length) {
            visitor.extent(offset + inFile, length - inFile, Extent.READS_AS_ZERO, 0, null, -1);
        }
    }

    @Override
    public void write(long offset, ByteBuffer from, Durability durability) throws IOException {
        begin(offset, from.remaining());
        throw new ReadOnlyDeviceException(name());
    }

    @Override
    public void writeZeroes(long offset, long length, ZeroMode mode, Durability durability) throws IOException {
        begin(offset, length);
        throw new ReadOnlyDeviceException(name());
    }

    @Override
    public void discard(long offset, long length) throws IOException {
        begin(offset, length);
        throw new ReadOnlyDeviceException(name());
    }

    @Override
    public void flush() throws IOException {
        begin(0, 0);
    }

    @Override
    public void close() throws IOException {
        closed = true;
        storage.close();
    }

    private void begin(long offset, long length) throws IOException {
        if (closed) {
            throw new ClosedChannelException();
        }
        Bounds.check(this, offset, length);
    }
}
