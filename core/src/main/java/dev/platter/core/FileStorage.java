package dev.platter.core;

import com.google.common.io.Closer;
import java.io.Closeable;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ReadOnlyBufferException;
import java.nio.channels.ClosedByInterruptException;
import java.nio.channels.ClosedChannelException;
import java.nio.channels.FileChannel;
import java.nio.channels.FileLock;
import java.nio.channels.OverlappingFileLockException;
import java.nio.channels.WritableByteChannel;
import java.nio.file.Files;
import java.nio.file.OpenOption;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.nio.file.attribute.BasicFileAttributes;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.OptionalLong;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import org.jspecify.annotations.Nullable;

/**
 * A regular file or a block device.
 *
 * <p>An interrupt closes a {@link FileChannel} for all threads that use it. The interrupted thread gets its exception;
 * whoever finds the channel closed next opens the file again, if it is still the same file. {@code
 * AsynchronousFileChannel} would survive interrupts, but hands every read to another thread.
 */
final class FileStorage implements Storage {
    private static final Services<FileFacts> FACTS = new Services<>(FileFacts.class);
    private static final ByteBuffer ZEROS = ByteBuffer.allocateDirect(64 * 1024).asReadOnlyBuffer();

    /** Those that hold a lock: the system drops Java's whenever this process closes another channel of the file. */
    private static final Map<FileIdentity, FileStorage> WRITERS = new ConcurrentHashMap<>();

    private final Path path;
    private final String name;
    private final boolean writable;
    private final boolean flushes;
    private final FileIdentity identity;
    private final boolean growable;
    private final boolean onDefaultFileSystem;
    private final FileFacts.@Nullable Changes changes;
    private final Features features;

    /**
     * Never read, so no interrupt closes it: while it is open, the file system cannot give the identity of a deleted file
     * to a new one.
     */
    private final FileChannel pin;

    private final Object reopening = new Object();
    private volatile FileChannel channel;
    private @Nullable FileLock lock;
    private volatile boolean lockLost;
    private volatile boolean closed;
    private FileFacts.@Nullable Holes holes;

    private FileStorage(
            Path path,
            boolean writable,
            boolean flushes,
            BasicFileAttributes attributes,
            FileChannel pin,
            LockedChannel opened,
            @Nullable FileFacts facts,
            FileFacts.@Nullable Changes changes)
            throws IOException {
        this.path = path;
        this.name = Printable.escape(Objects.toString(path.getFileName(), path.toString()));
        this.writable = writable;
        this.flushes = flushes;
        this.identity = FileIdentity.of(path, attributes);
        this.growable = attributes.isRegularFile();
        this.pin = pin;
        this.channel = opened.channel;
        this.lock = opened.lock;
        this.onDefaultFileSystem = isDefaultFileSystem(path);
        this.changes = changes;
        this.features = features(path, writable, growable, facts, changes);
    }

    private static Features features(
            Path path,
            boolean writable,
            boolean regular,
            @Nullable FileFacts facts,
            FileFacts.@Nullable Changes changes)
            throws IOException {
        Features plain = writable ? Features.ofWritable() : Features.ofReadOnly();
        if (changes != null) {
            plain = plain.withTrim(changes.freesSpace()).withFastZero(changes.zeroesFast());
        }
        FileFacts.Geometry geometry = regular || facts == null ? null : facts.geometry(path);
        return geometry == null ? plain : plain.withLogicalSectorSize(geometry.logicalSectorSize());
    }

    static FileStorage open(Path path, boolean writable) throws IOException {
        return open(path, writable, true);
    }

    /** @param flushes whether a flush waits for the medium */
    static FileStorage open(Path path, boolean writable, boolean flushes) throws IOException {
        BasicFileAttributes attributes = Files.readAttributes(path, BasicFileAttributes.class);
        requireBytes(path, attributes);
        FileIdentity identity = FileIdentity.of(path, attributes);
        // reading a file asks for nothing of these, and finding out what there is takes longer
        boolean asks = isDefaultFileSystem(path) && (writable || !attributes.isRegularFile());
        FileFacts facts = asks ? chooseFacts() : null;
        List<Closeable> opened = new ArrayList<>();
        try {
            FileChannel pin = FileChannel.open(path, StandardOpenOption.READ);
            opened.add(pin);
            FileFacts.Changes changes = null;
            if (writable && facts != null) {
                if (WRITERS.containsKey(identity)) {
                    throw busy(path, "this process", null);
                }
                changes = facts.openChanges(path);
                opened.add(changes);
            }
            LockedChannel channel = openChannel(path, writable, changes == null);
            opened.add(channel.channel);
            BasicFileAttributes now = Files.readAttributes(path, BasicFileAttributes.class);
            if (!identity.equals(FileIdentity.of(path, now))) {
                throw swapped(Printable.escape(path.toString()));
            }
            FileStorage storage = new FileStorage(path, writable, flushes, now, pin, channel, facts, changes);
            if (channel.lock != null || changes != null) {
                WRITERS.put(identity, storage);
            }
            return storage;
        } catch (IOException | RuntimeException e) {
            for (Closeable each : opened) {
                each.close();
            }
            lockAgain(identity);
            throw e;
        }
    }

    @Override
    public String name() {
        return name;
    }

    @Override
    public Object identity() {
        return identity;
    }

    @Override
    public Path path() {
        return path;
    }

    @Override
    public boolean isReadOnly() {
        return !writable;
    }

    @Override
    public long size() throws IOException {
        while (true) {
            FileChannel current = usable();
            try {
                long size = current.size();
                return size == 0 && !growable ? seekEnd(current) : size;
            } catch (ClosedByInterruptException e) {
                throw e;
            } catch (ClosedChannelException e) {
                reopen(current);
            }
        }
    }

    @Override
    public void setSize(long size) throws IOException {
        requireWritable();
        if (size < 0) {
            throw new IllegalArgumentException("size: " + size + " is negative");
        }
        if (!growable) {
            throw new BlockIOException(
                    BlockIOException.Kind.NOT_SUPPORTED, name + ": the size of a block device is fixed", null);
        }
        long current = size();
        try {
            if (size < current) {
                run(file -> file.truncate(size));
            } else if (size > current) {
                run(file -> file.write(ByteBuffer.allocate(1), size - 1));
            }
        } catch (ClosedChannelException e) {
            throw e;
        } catch (IOException e) {
            throw failed("change of its size from " + current + " to " + size, e);
        }
    }

    @Override
    public int read(long offset, ByteBuffer into) throws IOException {
        if (into.isReadOnly()) {
            // a FileChannel would call it an illegal argument
            throw new ReadOnlyBufferException();
        }
        int start = into.position();
        if (into.remaining() > Long.MAX_VALUE - offset) {
            // no file reaches so far, and Linux calls such a range an invalid argument
            usable();
            return 0;
        }
        while (true) {
            FileChannel current = usable();
            try {
                int read = 0;
                while (into.hasRemaining() && read >= 0) {
                    read = current.read(into, offset + (into.position() - start));
                }
                return into.position() - start;
            } catch (ClosedByInterruptException e) {
                throw e;
            } catch (ClosedChannelException e) {
                reopen(current);
            } catch (IOException e) {
                throw failed("read of " + into.remaining() + " at " + (offset + (into.position() - start)), e);
            }
        }
    }

    @Override
    public long transferTo(long offset, long length, WritableByteChannel to) throws IOException {
        if (writable) {
            return 0;
        }
        long done = 0;
        while (done < length) {
            FileChannel current = usable();
            try {
                long sent = current.transferTo(offset + done, length - done, to);
                if (sent <= 0) {
                    return done;
                }
                done += sent;
            } catch (ClosedByInterruptException e) {
                throw e;
            } catch (ClosedChannelException e) {
                if (current.isOpen()) {
                    throw e; // it was the other one
                }
                reopen(current);
            }
        }
        return done;
    }

    @Override
    public void write(long offset, ByteBuffer from) throws IOException {
        requireWritable();
        int start = from.position();
        try {
            run(file -> {
                while (from.hasRemaining()) {
                    file.write(from, offset + (from.position() - start));
                }
            });
        } catch (ClosedChannelException e) {
            throw e;
        } catch (IOException e) {
            throw failed("write at " + offset, e);
        }
    }

    @Override
    public void writeZeroes(long offset, long length, ZeroMode mode) throws IOException {
        requireWritable();
        usable();
        if (changes != null && changes.zero(offset, length, mode)) {
            return;
        }
        if (mode.isFast()) {
            throw new NotFasterException(name);
        }
        for (long done = 0; done < length; ) {
            ByteBuffer zeros = ZEROS.duplicate();
            zeros.limit((int) Math.min(zeros.capacity(), length - done));
            int run = zeros.remaining();
            write(offset + done, zeros);
            done += run;
        }
    }

    @Override
    public void discard(long offset, long length) throws IOException {
        requireWritable();
        usable();
        // pure Java has no call that gives space back; doing nothing is a legal answer
        if (changes != null) {
            changes.discard(offset, length);
        }
    }

    @Override
    public void flush() throws IOException {
        if (!writable) {
            return;
        }
        if (!flushes) {
            usable();
            return;
        }
        try {
            run(file -> file.force(false));
        } catch (ClosedChannelException e) {
            throw e;
        } catch (IOException e) {
            throw failed("flush", e);
        }
    }

    @Override
    public OptionalLong allocatedSize() throws IOException {
        usable();
        FileFacts facts = facts();
        return facts == null ? OptionalLong.empty() : facts.allocatedSize(path);
    }

    @Override
    public void extents(long offset, long length, ExtentVisitor visitor) throws IOException {
        usable();
        FileFacts.Holes found = holes();
        if (found == null) {
            visitor.extent(offset, length, Extent.ALLOCATED, 0, null, -1);
            return;
        }
        HoleWalk.visit(found, offset, length, visitor);
    }

    @Override
    public Features features() {
        return features;
    }

    @Override
    public void close() throws IOException {
        try {
            synchronized (reopening) {
                closed = true;
                Closer closer = Closer.create();
                // the locks go last
                closer.register(changes);
                closer.register(holes);
                closer.register(pin);
                closer.register(channel);
                closer.close();
            }
        } finally {
            WRITERS.remove(identity, this);
            if (changes != null) {
                ForeignWriter.forget();
            }
            lockAgain(identity);
        }
    }

    /** Returns whether a storage of this process has the file open for writing. */
    static boolean isWritten(Object identity) {
        return identity instanceof FileIdentity file && WRITERS.containsKey(file);
    }

    private static void lockAgain(FileIdentity identity) {
        FileStorage writer = WRITERS.get(identity);
        if (writer != null) {
            writer.lockAgain();
        }
    }

    private void lockAgain() {
        synchronized (reopening) {
            FileLock dropped = lock;
            if (closed || dropped == null) {
                return;
            }
            try {
                dropped.release();
                lock = channel.tryLock();
                lockLost = lock == null;
            } catch (ClosedChannelException e) {
                // by an interrupt: whoever opens it again takes the lock too
                lock = null;
            } catch (IOException e) {
                lockLost = true;
            }
        }
    }

    private interface FileAction {
        void apply(FileChannel file) throws IOException;
    }

    /** Runs an action that may be repeated, on a channel that is open. */
    private void run(FileAction action) throws IOException {
        while (true) {
            FileChannel current = usable();
            try {
                action.apply(current);
                return;
            } catch (ClosedByInterruptException e) {
                throw e;
            } catch (ClosedChannelException e) {
                reopen(current);
            }
        }
    }

    /** An interrupted thread is turned away here, before its request would close the channel for the others. */
    private FileChannel usable() throws IOException {
        if (closed) {
            throw new ClosedChannelException();
        }
        if (Thread.currentThread().isInterrupted()) {
            throw new ClosedByInterruptException();
        }
        return channel;
    }

    private void reopen(FileChannel found) throws IOException {
        synchronized (reopening) {
            if (closed) {
                throw new ClosedChannelException();
            }
            if (channel != found) {
                return;
            }
            // waits until the interrupted thread has closed it: that drops the lock, also one taken in the meantime
            found.close();
            BasicFileAttributes attributes = Files.readAttributes(path, BasicFileAttributes.class);
            if (!identity.equals(FileIdentity.of(path, attributes))) {
                throw swapped(name);
            }
            LockedChannel again = openChannel(path, writable, changes == null);
            if (!identity.equals(FileIdentity.of(path, Files.readAttributes(path, BasicFileAttributes.class)))) {
                again.channel.close();
                throw swapped(name);
            }
            lock = again.lock;
            channel = again.channel;
        }
    }

    private @Nullable FileFacts facts() {
        return onDefaultFileSystem ? chooseFacts() : null;
    }

    private FileFacts.@Nullable Holes holes() throws IOException {
        FileFacts facts = facts();
        if (facts == null) {
            return null;
        }
        synchronized (reopening) {
            if (holes == null && !closed) {
                holes = facts.openHoles(path);
            }
            return holes;
        }
    }

    private void requireWritable() throws IOException {
        if (!writable) {
            throw new ReadOnlyDeviceException(name);
        }
        if (lockLost) {
            throw busy(path, "another process", null);
        }
    }

    private BlockIOException failed(String what, IOException e) {
        // the JDK tells a full disk apart by the text of the operating system only
        boolean full = String.valueOf(e.getMessage()).contains("No space left");
        return new BlockIOException(
                full ? BlockIOException.Kind.NO_SPACE : BlockIOException.Kind.IO,
                name + ": " + what + ": " + e.getMessage(),
                e);
    }

    /** A channel, and the lock that keeps other writers out. */
    private static final class LockedChannel {
        final FileChannel channel;
        final @Nullable FileLock lock;

        LockedChannel(FileChannel channel, @Nullable FileLock lock) {
            this.channel = channel;
            this.lock = lock;
        }
    }

    /** Opens and, for writing, takes the lock if nobody else holds one for this process; an interrupt had it dropped. */
    private static LockedChannel openChannel(Path path, boolean writable, boolean locks) throws IOException {
        Set<OpenOption> options =
                writable ? Set.of(StandardOpenOption.READ, StandardOpenOption.WRITE) : Set.of(StandardOpenOption.READ);
        FileChannel channel = FileChannel.open(path, options);
        if (writable && locks && isDefaultFileSystem(path)) {
            try {
                FileLock lock = channel.tryLock();
                if (lock == null) {
                    throw busy(path, "another process", null);
                }
                return new LockedChannel(channel, lock);
            } catch (OverlappingFileLockException e) {
                channel.close();
                throw busy(path, "this process", e);
            } catch (IOException e) {
                channel.close();
                throw e;
            }
        }
        return new LockedChannel(channel, null);
    }

    /**
     * The size of a device that the JDK gives as 0: found by asking for its last readable byte, doubling and then
     * halving. Java can seek to the end only of files opened for appending.
     */
    private static long seekEnd(FileChannel channel) throws IOException {
        ByteBuffer one = ByteBuffer.allocateDirect(1);
        long readable = 0;
        long beyond = 1;
        while (channel.read(one.clear(), beyond - 1) == 1) {
            readable = beyond;
            if (beyond > Long.MAX_VALUE / 2) {
                return readable;
            }
            beyond *= 2;
        }
        while (beyond - readable > 1) {
            long middle = readable + (beyond - readable) / 2;
            if (channel.read(one.clear(), middle - 1) == 1) {
                readable = middle;
            } else {
                beyond = middle;
            }
        }
        return readable;
    }

    /** Refuses what would block or has no bytes, before opening it: opening a pipe waits for a writer. */
    private static void requireBytes(Path path, BasicFileAttributes attributes) throws IOException {
        String shown = Printable.escape(path.toString());
        if (attributes.isDirectory()) {
            throw new BlockIOException(BlockIOException.Kind.NOT_SUPPORTED, shown + ": is a directory", null);
        }
        if (attributes.isOther() && !isBlockDevice(path)) {
            throw new BlockIOException(
                    BlockIOException.Kind.NOT_SUPPORTED, shown + ": is neither a file nor a block device", null);
        }
    }

    private static boolean isBlockDevice(Path path) throws IOException {
        try {
            int mode = (Integer) Files.getAttribute(path, "unix:mode");
            return (mode & 0170000) == 0060000;
        } catch (UnsupportedOperationException | IllegalArgumentException e) {
            // no POSIX modes on this system: its devices are opened by names that only devices have
            return true;
        }
    }

    private static boolean isDefaultFileSystem(Path path) {
        return path.getFileSystem() == java.nio.file.FileSystems.getDefault();
    }

    private static @Nullable FileFacts chooseFacts() {
        for (FileFacts candidate : FACTS.all()) {
            if (candidate.isSupported()) {
                return candidate;
            }
        }
        return null;
    }

    private static BlockIOException busy(Path path, String who, @Nullable Throwable cause) {
        return new BlockIOException(
                BlockIOException.Kind.BUSY,
                path + ": cannot be opened for writing: " + who + " holds a lock on it",
                cause);
    }

    private static BlockIOException swapped(String name) {
        return new BlockIOException(
                BlockIOException.Kind.IO, name + ": another file was put in its place while it was open", null);
    }
}
