package dev.platter.qcow2;

import com.google.common.collect.ConcurrentHashMultiset;
import com.google.common.collect.Multiset;
import com.google.common.io.Closer;
import com.google.common.math.LongMath;
import dev.platter.core.BitmapInfo;
import dev.platter.core.BlockDevice;
import dev.platter.core.BlockIOException;
import dev.platter.core.Bounds;
import dev.platter.core.CheckListener;
import dev.platter.core.CheckReport;
import dev.platter.core.DiskImage;
import dev.platter.core.DiskImageException;
import dev.platter.core.Durability;
import dev.platter.core.ExtentVisitor;
import dev.platter.core.Features;
import dev.platter.core.ImageInfo;
import dev.platter.core.OpenOptions;
import dev.platter.core.Printable;
import dev.platter.core.ReadOnlyDeviceException;
import dev.platter.core.ReferenceResolver;
import dev.platter.core.SnapshotInfo;
import dev.platter.core.Storage;
import dev.platter.core.Warning;
import dev.platter.core.ZeroMode;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.ClosedChannelException;
import java.nio.channels.WritableByteChannel;
import java.time.Instant;
import java.util.List;
import java.util.function.Function;
import java.util.function.LongConsumer;
import org.jspecify.annotations.Nullable;

/** An opened qcow2 image. */
final class Qcow2Image implements Qcow2Disk {
    private static final int SNAPSHOT_CACHE_BYTES = 1 << 20;

    private final Qcow2Header header;
    private final HostFile file;
    private final HostFile dataFile;
    private final CompressedClusters compressed;
    private final ClusterReader reader;
    private final long walkBytes;
    private final @Nullable ImageWriter writer;
    private final @Nullable DiskImage backing;
    private final ClusterReader.BackingLayer backingLayer;
    private volatile List<Snapshot> snapshots;
    private final List<Bitmap> bitmaps;
    private final List<DiskImageException> problems;
    private final List<Warning> warnings;
    private final ReferenceResolver references;
    private final OpenOptions options;
    private final Multiset<String> openSnapshots = ConcurrentHashMultiset.create();
    private volatile boolean closed;

    Qcow2Image(Qcow2Opening opening) throws IOException {
        header = opening.header;
        file = opening.file;
        dataFile = opening.dataFile;
        backing = opening.backing;
        backingLayer = new ClusterReader.BackingLayer(opening.backing, opening.backingProblem);
        snapshots = opening.snapshots;
        bitmaps = opening.bitmaps;
        problems = List.copyOf(opening.problems);
        warnings = List.copyOf(opening.warnings);
        references = opening.references;
        options = opening.options;
        // the cache is for the whole chain; every image below is opened with half of what is left
        int cacheBytes = backing == null ? options.cacheBytes() : options.cacheBytes() / 2;
        compressed = new CompressedClusters(header, file, cacheBytes / 4);
        TableEdits edits = options.writable() ? new TableEdits() : null;
        ClusterMapper mapper = mapper(header.l1TableOffset(), header.size(), cacheBytes - cacheBytes / 4, edits);
        reader = new ClusterReader(header, mapper, dataFile, compressed, backingLayer, opening.walkBytes());
        walkBytes = opening.walkBytes();
        writer = edits == null ? null : ImageWriter.open(opening, mapper, reader, compressed, backing);
    }

    static Qcow2Image open(Storage storage, ReferenceResolver references, OpenOptions options) throws IOException {
        Qcow2Opening opening = new Qcow2Opening(storage, references, options);
        try {
            return opening.open();
        } catch (IOException | RuntimeException e) {
            opening.closeReferences();
            throw e;
        }
    }

    private ClusterMapper mapper(long l1TableOffset, long diskSize, int cacheBytes, @Nullable TableEdits edits) {
        return new ClusterMapper(
                header,
                file,
                dataFile,
                l1TableOffset,
                header.l1EntriesFor(diskSize),
                cacheBytes,
                Long.MAX_VALUE,
                edits,
                options.onWarning());
    }

    @Override
    public long size() {
        return header.size();
    }

    @Override
    public String description() {
        return file.name();
    }

    @Override
    public Features features() {
        Features features = writer == null
                ? Features.ofReadOnly()
                : Features.ofWritable().withTrim(writer.zeros().discards());
        return features.withPreferredTransfer(header.clusterSize()).withSlowReads(true);
    }

    @Override
    public void read(long offset, ByteBuffer into) throws IOException {
        begin(offset, into.remaining());
        if (into.isReadOnly()) {
            throw new java.nio.ReadOnlyBufferException();
        }
        if (writer == null) {
            reader.read(offset, into);
        } else {
            writer.clusters().read(offset, into);
        }
    }

    @Override
    public long transferTo(long offset, long length, WritableByteChannel to) throws IOException {
        if (writer != null) {
            // What a socket holds of a file changes with the file.
            return Qcow2Disk.super.transferTo(offset, length, to);
        }
        begin(offset, length);
        reader.transferTo(offset, length, to);
        return length;
    }

    @Override
    public void extents(long offset, long length, ExtentVisitor visitor) throws IOException {
        begin(offset, length);
        reader.extents(offset, length, visitor);
    }

    @Override
    public void write(long offset, ByteBuffer from, Durability durability) throws IOException {
        begin(offset, from.remaining());
        writer().clusters().write(offset, from);
        flushFor(durability);
    }

    @Override
    public void writeZeroes(long offset, long length, ZeroMode mode, Durability durability) throws IOException {
        begin(offset, length);
        writer().zeros().writeZeroes(offset, length, mode);
        flushFor(durability);
    }

    @Override
    public void discard(long offset, long length) throws IOException {
        begin(offset, length);
        writer().zeros().discard(offset, length);
    }

    @Override
    public void flush() throws IOException {
        begin(0, 0);
        if (writer != null) {
            writer.tables().flush();
        }
    }

    private void flushFor(Durability durability) throws IOException {
        if (durability == Durability.FUA) {
            writer().tables().flush();
        }
    }

    private ImageWriter writer() throws ReadOnlyDeviceException {
        if (writer == null) {
            throw new ReadOnlyDeviceException(description());
        }
        return writer;
    }

    @Override
    public BlockDevice compressing() throws IOException {
        begin(0, 0);
        writer().compressing().requirePossible();
        return new CompressingDevice(this, writer().compressing());
    }

    @Override
    public ImageInfo info() {
        String backingName = header.backingFile();
        return new ImageInfo(
                file.storage().path() == null
                        ? file.name()
                        : String.valueOf(file.storage().path()),
                "qcow2",
                header.size(),
                ImageInfo.sizeOf(file.storage()),
                (long) header.clusterSize(),
                header.cryptMethod() != Qcow2Header.CRYPT_NONE,
                header.isDirty(),
                backingName,
                backingName == null ? null : references.resolve(backingName),
                header.extensions().backingFormat(),
                FormatFacts.of(header, bitmaps()));
    }

    @Override
    public List<SnapshotInfo> snapshots() {
        return snapshots.stream().map(Snapshot::info).toList();
    }

    @Override
    public synchronized BlockDevice openSnapshot(String idOrName) throws IOException {
        begin(0, 0);
        Snapshot snapshot = findSnapshot(idOrName);
        snapshot.requireReadable(header, file);
        long diskSize = snapshot.info().diskSize();
        openSnapshots.add(snapshot.info().id());
        return new SnapshotDevice(
                this,
                new ClusterReader(
                        header,
                        mapper(snapshot.l1TableOffset(), diskSize, SNAPSHOT_CACHE_BYTES, null),
                        dataFile,
                        compressed,
                        backingLayer,
                        walkBytes),
                snapshot.info().id(),
                description() + " > snapshot "
                        + Printable.escape(snapshot.info().name()),
                diskSize);
    }

    private Snapshot findSnapshot(String idOrName) throws DiskImageException {
        Snapshot found = findFirst(SnapshotInfo::id, idOrName);
        found = found == null ? findFirst(SnapshotInfo::name, idOrName) : found;
        if (found == null) {
            throw new DiskImageException(description() + ": there is no snapshot " + Printable.quote(idOrName)
                    + (snapshots.isEmpty() ? "; the image has none" : ""));
        }
        return found;
    }

    private Snapshot findSnapshotNamed(String name) throws DiskImageException {
        Snapshot found = findFirst(SnapshotInfo::name, name);
        if (found == null) {
            Snapshot meant = findFirst(SnapshotInfo::id, name);
            throw new DiskImageException(description() + ": there is no snapshot named " + Printable.quote(name)
                    + (snapshots.isEmpty()
                            ? "; the image has none"
                            : meant == null
                                    ? ""
                                    : "; the one with this id is named "
                                            + Printable.quote(meant.info().name())));
        }
        return found;
    }

    private @Nullable Snapshot findFirst(Function<SnapshotInfo, String> key, String wanted) {
        for (Snapshot snapshot : snapshots) {
            if (key.apply(snapshot.info()).equals(wanted)) {
                return snapshot;
            }
        }
        return null;
    }

    @Override
    public void createSnapshot(String name) throws IOException {
        begin(0, 0);
        Instant now = Instant.now();
        long mostBytes = options.limits().metadataBytes();
        changeSnapshots(edit -> edit.create(snapshots, name, now.getEpochSecond(), now.getNano(), mostBytes));
    }

    @Override
    public void applySnapshot(String idOrName) throws IOException {
        begin(0, 0);
        changeSnapshots(edit -> {
            Snapshot snapshot = findSnapshot(idOrName);
            if (snapshot.info().diskSize() != header.size()) {
                throw new BlockIOException(
                        BlockIOException.Kind.NOT_SUPPORTED,
                        description() + ": snapshot "
                                + Printable.quote(snapshot.info().name()) + " has a disk of "
                                + snapshot.info().diskSize() + " bytes, this one has " + header.size()
                                + " bytes, which cannot change while it is open",
                        null);
            }
            writer().tables().bitmaps.record(0, header.size());
            edit.apply(snapshots, snapshot);
        });
    }

    /** Applies a snapshot of any size; the image is closed at once. */
    void applyAndClose(String idOrName) throws IOException {
        changeSnapshots(edit -> {
            Snapshot snapshot = findSnapshot(idOrName);
            long size = snapshot.info().diskSize();
            BitmapWriter recording = writer().tables().bitmaps;
            recording.requireResizable(size);
            recording.resizing();
            edit.apply(snapshots, snapshot);
            recording.resized(size);
            recording.record(0, size);
        });
        close();
    }

    /** Takes all clusters out of the disk: it shows what lies below. */
    void makeEmpty() throws IOException {
        writer().resize().makeEmpty();
    }

    /**
     * Gives every cluster from an offset on its place, where none has one.
     *
     * @param written whether they are written with zeros
     */
    void preallocate(long from, boolean written) throws IOException {
        writer().resize().preallocate(from, written);
    }

    /** Adds to the snapshot table what version 3 of the format asks for. */
    void completeSnapshots() throws IOException {
        if (snapshots.stream().anyMatch(snapshot -> !snapshot.isComplete())) {
            changeSnapshots(edit -> edit.completeTable(snapshots));
        }
    }

    /**
     * Takes entries that say zero out of all tables: version 2 of the format has none.
     *
     * @param walked told how many bytes of the disk and of those of all snapshots were gone through
     */
    void expandZeros(LongConsumer walked) throws IOException {
        writer().expansion().expand(walked);
        if (!snapshots.isEmpty()) {
            changeSnapshots(edit -> edit.expandZeros(
                    snapshots, backing != null, at -> walked.accept(LongMath.saturatedAdd(header.size(), at))));
        }
    }

    /** Gives the disk another size; the image is closed at once. */
    void resizeAndClose(long size) throws IOException {
        if (header.version() < 3 && !snapshots.isEmpty()) {
            throw new BlockIOException(
                    BlockIOException.Kind.NOT_SUPPORTED,
                    description() + ": an image of version 2 that has snapshots cannot be resized",
                    null);
        }
        writer().tables().bitmaps.requireResizable(size);
        writer().resize().resize(size);
        close();
    }

    @Override
    public void deleteSnapshot(String idOrName) throws IOException {
        begin(0, 0);
        changeSnapshots(edit -> delete(findSnapshot(idOrName), edit));
    }

    @Override
    public void deleteSnapshotNamed(String name) throws IOException {
        begin(0, 0);
        changeSnapshots(edit -> delete(findSnapshotNamed(name), edit));
    }

    private void delete(Snapshot snapshot, SnapshotEdit edit) throws IOException {
        if (openSnapshots.contains(snapshot.info().id())) {
            throw new BlockIOException(
                    BlockIOException.Kind.BUSY,
                    description() + ": snapshot "
                            + Printable.quote(snapshot.info().name()) + " is open",
                    null);
        }
        edit.delete(snapshots, snapshot);
    }

    private synchronized void changeSnapshots(TableWriter.TableChange change) throws IOException {
        writer().tables().changeTables(edit -> {
            change.make(edit);
            snapshots = Snapshot.readTable(Qcow2Header.read(file.storage()), file, options.limits());
        });
    }

    void snapshotClosed(String id) {
        openSnapshots.remove(id);
    }

    @Override
    public List<BitmapInfo> bitmaps() {
        if (writer == null) {
            return bitmaps.stream().map(Bitmap::info).toList();
        }
        writer.tables().changing.lock();
        try {
            return writer.tables().bitmaps.infos();
        } finally {
            writer.tables().changing.unlock();
        }
    }

    @Override
    public void addBitmap(String name, long granularity, boolean enabled) throws IOException {
        changeBitmaps(writer -> writer.add(name, granularity, enabled));
    }

    @Override
    public void removeBitmap(String name) throws IOException {
        changeBitmaps(writer -> writer.remove(name));
    }

    @Override
    public void enableBitmap(String name) throws IOException {
        changeBitmaps(writer -> writer.enable(name));
    }

    @Override
    public void disableBitmap(String name) throws IOException {
        changeBitmaps(writer -> writer.disable(name));
    }

    @Override
    public void clearBitmap(String name) throws IOException {
        changeBitmaps(writer -> writer.clear(name));
    }

    @Override
    public void mergeBitmap(String name, DiskImage source, String sourceBitmap) throws IOException {
        begin(0, 0);
        if (source.size() != size()) {
            throw new DiskImageException(description() + ": bitmap " + Printable.quote(sourceBitmap) + " of "
                    + source.description() + " is of a disk of " + source.size() + " bytes, this one has " + size());
        }
        new BitmapMerge(writer().tables(), name).add(source, sourceBitmap);
    }

    private void changeBitmaps(TableWriter.BitmapChange change) throws IOException {
        begin(0, 0);
        writer().tables().changeBitmaps(change);
    }

    @Override
    public void dirtyRanges(String bitmap, long from, RangeVisitor visitor) throws IOException {
        begin(0, 0);
        if (writer != null) {
            writer.tables().bitmaps.dirtyRanges(bitmap, from, writer.tables().changing, visitor);
            return;
        }
        for (Bitmap candidate : bitmaps) {
            if (candidate.info().name().equals(bitmap)) {
                candidate.dirtyRanges(header, file, walkBytes, from, visitor);
                return;
            }
        }
        throw new DiskImageException(description() + ": there is no bitmap " + Printable.quote(bitmap)
                + (bitmaps.isEmpty() ? "; the image has none" : ""));
    }

    @Override
    public @Nullable DiskImage backing() {
        return backing;
    }

    @Override
    public List<DiskImageException> problems() {
        return problems;
    }

    @Override
    public List<Warning> warnings() {
        return warnings;
    }

    @Override
    public boolean isCheckable() {
        return true;
    }

    @Override
    public CheckReport check(CheckListener listener) throws IOException {
        begin(0, 0);
        if (writer == null) {
            return new Qcow2Check(header, file, snapshots, bitmaps, options.limits(), listener).run();
        }
        TableWriter tables = writer.tables();
        // its tables may have moved
        return tables.unchanged(() -> new Qcow2Check(
                        Qcow2Header.read(file.storage()),
                        file,
                        snapshots,
                        tables.bitmaps.stored(),
                        options.limits(),
                        listener)
                .run());
    }

    @Override
    public void close() throws IOException {
        if (closed) {
            return;
        }
        closed = true;
        try (Closer closer = Closer.create()) {
            closer.register(file);
            if (dataFile != file && dataFile.problem() == null) {
                closer.register(dataFile);
            }
            if (backing != null) {
                closer.register(backing);
            }
            if (writer != null) {
                closer.register(writer.tables()::close);
                closer.register(writer.compressing());
            }
            compressed.close();
        }
    }

    /** Refuses when closed, and checks the range. */
    private void begin(long offset, long length) throws IOException {
        requireOpen();
        Bounds.check(this, offset, length);
    }

    void requireOpen() throws ClosedChannelException {
        if (closed) {
            throw new ClosedChannelException();
        }
    }
}
