package dev.platter.qcow2;

import com.google.common.collect.ConcurrentHashMultiset;
import com.google.common.collect.ImmutableMap;
import com.google.common.collect.Multiset;
import com.google.common.io.Closer;
import com.google.common.math.LongMath;
import dev.platter.core.BitmapInfo;
import dev.platter.core.BlockDevice;
import dev.platter.core.BlockIOException;
import dev.platter.core.Bounds;
import dev.platter.core.CheckListener;
import dev.platter.core.CheckReport;
import dev.platter.core.CorruptImageException;
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
import dev.platter.core.UnsupportedFeatureException;
import dev.platter.core.Warning;
import dev.platter.core.ZeroMode;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.ClosedChannelException;
import java.time.Instant;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.OptionalLong;
import org.jspecify.annotations.Nullable;

/** An opened qcow2 image. */
final class Qcow2Image implements Qcow2Disk {
    private static final int SNAPSHOT_CACHE_BYTES = 1 << 20;
    private static final long WALK_BASE = 16 << 20;

    private final Qcow2Header header;
    private final HostFile file;
    private final HostFile dataFile;
    private final CompressedClusters compressed;
    private final ClusterReader reader;
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

    private Qcow2Image(Opening opening) throws IOException {
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
        reader = new ClusterReader(header, mapper, dataFile, compressed, backingLayer, walkBytes());
        writer = edits == null ? null : writer(mapper);
    }

    static Qcow2Image open(Storage storage, ReferenceResolver references, OpenOptions options) throws IOException {
        Opening opening = new Opening(storage, references, options);
        try {
            return opening.open();
        } catch (IOException | RuntimeException e) {
            opening.closeReferences();
            throw e;
        }
    }

    /** The steps of opening, and what they found. */
    private static final class Opening {
        private final OpenOptions options;
        private final ReferenceResolver references;
        private final List<Warning> warnings = new ArrayList<>();
        private final Qcow2Header header;
        private final HostFile file;
        private final List<DiskImageException> problems = new ArrayList<>();
        private HostFile dataFile;
        private @Nullable DiskImage backing;
        private @Nullable DiskImageException backingProblem;
        private List<Snapshot> snapshots = List.of();
        private List<Bitmap> bitmaps = List.of();

        Opening(Storage storage, ReferenceResolver references, OpenOptions options) throws IOException {
            this.options = options;
            this.references = references;
            this.header = rebuilt(storage, Qcow2Header.read(storage));
            this.file = new HostFile(storage, header.clusterSize(), options);
            this.dataFile = file;
        }

        /** An image that was not closed properly gets its refcounts anew before anything is written. */
        private Qcow2Header rebuilt(Storage storage, Qcow2Header found) throws IOException {
            if (!options.writable()
                    || !found.isDirty()
                    || found.isCorrupt()
                    || storage.isReadOnly()
                    || found.cryptMethod() != Qcow2Header.CRYPT_NONE) {
                return found;
            }
            Qcow2.repair(storage, options, Qcow2.Repair.ALL);
            warn(new Warning(
                    72,
                    storage.name() + ": the image was not closed properly (dirty bit): its refcounts were made anew"));
            return Qcow2Header.read(storage);
        }

        Qcow2Image open() throws IOException {
            if (options.writable()) {
                requireWritable();
            }
            for (Warning warning : header.warnings()) {
                warn(warning);
            }
            requireL1Table();
            if (header.cryptMethod() != Qcow2Header.CRYPT_NONE) {
                warn(new Warning(
                        32,
                        file.name() + ": the contents are encrypted (" + Encryption.name(header)
                                + ") and cannot be read yet"));
            }
            openDataFile();
            openBacking();
            readSnapshots();
            readBitmaps();
            if (options.writable() && dataFile.storage().isReadOnly()) {
                throw new ReadOnlyDeviceException(dataFile.name());
            }
            if (options.writable() && !problems.isEmpty()) {
                throw Problems.copy(problems.get(0));
            }
            return new Qcow2Image(this);
        }

        /** Refuses what can be read at best. */
        private void requireWritable() throws IOException {
            if (file.storage().isReadOnly()) {
                throw new ReadOnlyDeviceException(file.name());
            }
            if (header.isCorrupt()) {
                throw new CorruptImageException(file.name()
                        + ": the image is marked as corrupt; it can be read, but not written before it is repaired");
            }
            if (header.cryptMethod() != Qcow2Header.CRYPT_NONE) {
                throw new UnsupportedFeatureException(file.name() + ": the contents are encrypted ("
                        + Encryption.name(header) + "); such an image cannot be written yet");
            }
            if (header.hasDataFile() && header.extensions().dataFile() == null) {
                throw new CorruptImageException(file.name() + ": the image does not name its external data file");
            }
        }

        void closeReferences() throws IOException {
            try (Closer closer = Closer.create()) {
                if (backing != null) {
                    closer.register(backing);
                }
                if (dataFile != file && dataFile.problem() == null) {
                    closer.register(dataFile);
                }
            }
        }

        private void warn(Warning warning) {
            warnings.add(warning);
            options.onWarning().accept(warning);
        }

        private void requireL1Table() throws IOException {
            long offset = header.l1TableOffset();
            long bytes = header.l1EntriesFor(header.size()) * Long.BYTES;
            if (bytes == 0) {
                return;
            }
            if (offset == 0) {
                throw new CorruptImageException(
                        file.name() + ": header at 40: the L1 table is said to be at 0, where the header is");
            }
            if (!file.holds(offset, bytes) && !file.zerosFor("L1 table", offset)) {
                throw file.truncated("L1 table (" + bytes + " bytes)", offset);
            }
        }

        private void openDataFile() throws IOException {
            if (!header.hasDataFile()) {
                return;
            }
            String name = header.extensions().dataFile();
            if (name == null || name.isEmpty()) {
                throw new CorruptImageException(file.name()
                        + ": the data clusters are in an external data file, but the image does not name it");
            }
            try {
                dataFile = hostFile(references.openDataFile(name));
            } catch (DiskImageException e) {
                dataFile = HostFile.unavailable(file, options, e);
                problems.add(e);
            }
        }

        private HostFile hostFile(Storage opened) throws IOException {
            try {
                return new HostFile(opened, header.clusterSize(), options);
            } catch (IOException | RuntimeException e) {
                opened.close();
                throw e;
            }
        }

        private void openBacking() throws IOException {
            String name = header.backingFile();
            if (name == null) {
                return;
            }
            if ((header.autoclearFeatures() & Qcow2Header.AUTOCLEAR_DATA_FILE_RAW) != 0 && header.hasDataFile()) {
                throw new CorruptImageException(
                        file.name() + ": a raw data file and a backing file exclude each other, the image has both");
            }
            try {
                DiskImage below =
                        references.openBacking(name, header.extensions().backingFormat());
                backing = below;
                problems.addAll(below.problems());
                warnings.addAll(below.warnings());
            } catch (DiskImageException e) {
                backingProblem = e;
                problems.add(e);
            }
        }

        private void readSnapshots() throws IOException {
            try {
                snapshots = Snapshot.readTable(header, file, options.limits());
            } catch (DiskImageException e) {
                problems.add(e);
            }
        }

        private void readBitmaps() throws IOException {
            HeaderExtensions.BitmapDirectoryLocation location =
                    header.extensions().bitmaps();
            if (location == null) {
                return;
            }
            if ((header.autoclearFeatures() & Qcow2Header.AUTOCLEAR_BITMAPS) == 0) {
                warn(new Warning(
                        88,
                        file.name() + ": a program without support for bitmaps has written to this image: its bitmaps"
                                + " are out of date and not listed"));
                return;
            }
            try {
                bitmaps = Bitmap.readDirectory(location, header, file, options.limits());
            } catch (DiskImageException e) {
                problems.add(e);
            }
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

    private ImageWriter writer(ClusterMapper mapper) throws IOException {
        MetadataMap metadata = new MetadataMap(file.name());
        HeaderFields fields = new HeaderFields(file);
        metadata.put(0, MetadataMap.Kind.HEADER);
        Allocator allocator = Allocator.open(header, file, fields, metadata);
        new MetadataWalk(header, file, allocator).claim(snapshots, bitmaps);
        TableWriter tables = new TableWriter(header, file, dataFile, mapper, compressed, allocator, metadata, fields);
        ClusterWriter clusters = new ClusterWriter(header, file, dataFile, mapper, reader, tables);
        ZeroWriter zeros = new ZeroWriter(header, file, dataFile, mapper, tables, clusters, backing);
        Resize resize = new Resize(header, file, dataFile, mapper, reader, tables, clusters, zeros, backing);
        ZeroExpansion expansion = new ZeroExpansion(header, mapper, tables, clusters, backing);
        return new ImageWriter(tables, clusters, zeros, resize, expansion);
    }

    /** What writes an image, together. */
    private record ImageWriter(
            TableWriter tables, ClusterWriter clusters, ZeroWriter zeros, Resize resize, ZeroExpansion expansion) {}

    /** The bytes of tables that one walk may load before the tables are taken to alias each other. */
    private long walkBytes() {
        return LongMath.saturatedAdd(
                WALK_BASE,
                LongMath.saturatedMultiply(file.fileSize(), options.limits().walkFactor()));
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
        Features features = writer == null ? Features.ofReadOnly() : Features.ofWritable();
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
            writer.clusters.read(offset, into);
        }
    }

    @Override
    public void extents(long offset, long length, ExtentVisitor visitor) throws IOException {
        begin(offset, length);
        reader.extents(offset, length, visitor);
    }

    @Override
    public void write(long offset, ByteBuffer from, Durability durability) throws IOException {
        begin(offset, from.remaining());
        writer().clusters.write(offset, from);
        flushFor(durability);
    }

    @Override
    public void writeZeroes(long offset, long length, ZeroMode mode, Durability durability) throws IOException {
        begin(offset, length);
        writer().zeros.writeZeroes(offset, length, mode);
        flushFor(durability);
    }

    @Override
    public void discard(long offset, long length) throws IOException {
        begin(offset, length);
        writer().zeros.discard(offset, length);
    }

    @Override
    public void flush() throws IOException {
        begin(0, 0);
        if (writer != null) {
            writer.tables.flush();
        }
    }

    private void flushFor(Durability durability) throws IOException {
        if (durability == Durability.FUA) {
            writer().tables.flush();
        }
    }

    private ImageWriter writer() throws ReadOnlyDeviceException {
        if (writer == null) {
            throw new ReadOnlyDeviceException(description());
        }
        return writer;
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
                actualSize(),
                (long) header.clusterSize(),
                header.cryptMethod() != Qcow2Header.CRYPT_NONE,
                header.isDirty(),
                backingName,
                backingName == null ? null : references.resolve(backingName),
                header.extensions().backingFormat(),
                formatSpecific());
    }

    private @Nullable Long actualSize() {
        try {
            OptionalLong allocated = file.storage().allocatedSize();
            return allocated.isPresent() ? allocated.getAsLong() : null;
        } catch (IOException e) {
            // what cannot be asked is absent
            return null;
        }
    }

    private Map<String, Object> formatSpecific() {
        Map<String, Object> facts = new LinkedHashMap<>();
        facts.put("compat", header.version() == 2 ? "0.10" : "1.1");
        facts.put("compression-type", header.compressionName());
        if (header.version() >= 3) {
            facts.put("lazy-refcounts", (header.compatibleFeatures() & Qcow2Header.COMPAT_LAZY_REFCOUNTS) != 0);
        }
        facts.put("refcount-bits", 1L << header.refcountOrder());
        if (header.version() >= 3) {
            facts.put("corrupt", header.isCorrupt());
            facts.put("extended-l2", header.isExtendedL2());
        }
        String dataFileName = header.extensions().dataFile();
        if (header.hasDataFile() && dataFileName != null) {
            facts.put("data-file", dataFileName);
            facts.put("data-file-raw", (header.autoclearFeatures() & Qcow2Header.AUTOCLEAR_DATA_FILE_RAW) != 0);
        }
        if (!bitmaps.isEmpty()) {
            facts.put("bitmaps", bitmaps.stream().map(Qcow2Image::bitmapFacts).toList());
        }
        if (header.cryptMethod() != Qcow2Header.CRYPT_NONE) {
            facts.put("encrypt", ImmutableMap.of("format", Encryption.name(header)));
        }
        return facts;
    }

    private static Map<String, Object> bitmapFacts(Bitmap bitmap) {
        List<String> flags = new ArrayList<>();
        if (bitmap.info().inUse()) {
            flags.add("in-use");
        }
        if (bitmap.info().auto()) {
            flags.add("auto");
        }
        return ImmutableMap.of(
                "flags", flags,
                "name", bitmap.info().name(),
                "granularity", bitmap.info().granularity());
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
                        walkBytes()),
                snapshot.info().id(),
                description() + " > snapshot "
                        + Printable.escape(snapshot.info().name()),
                diskSize);
    }

    private Snapshot findSnapshot(String idOrName) throws DiskImageException {
        for (Snapshot snapshot : snapshots) {
            if (snapshot.info().id().equals(idOrName)) {
                return snapshot;
            }
        }
        for (Snapshot snapshot : snapshots) {
            if (snapshot.info().name().equals(idOrName)) {
                return snapshot;
            }
        }
        throw new DiskImageException(description() + ": there is no snapshot " + Printable.quote(idOrName)
                + (snapshots.isEmpty() ? "; the image has none" : ""));
    }

    @Override
    public void createSnapshot(String name) throws IOException {
        begin(0, 0);
        Instant now = Instant.now();
        changeSnapshots(edit -> edit.create(snapshots, name, now.getEpochSecond(), now.getNano()));
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
            edit.apply(snapshots, snapshot);
        });
    }

    /** Applies a snapshot of any size; the image is closed at once. */
    void applyAndClose(String idOrName) throws IOException {
        changeSnapshots(edit -> edit.apply(snapshots, findSnapshot(idOrName)));
        close();
    }

    /** Takes all clusters out of the disk: it shows what lies below. */
    void makeEmpty() throws IOException {
        writer().resize.makeEmpty();
    }

    /**
     * Gives every cluster from an offset on its place, where none has one.
     *
     * @param written whether they are written with zeros
     */
    void preallocate(long from, boolean written) throws IOException {
        writer().resize.preallocate(from, written);
    }

    /** Adds to the snapshot table what version 3 of the format asks for. */
    void completeSnapshots() throws IOException {
        if (snapshots.stream().anyMatch(snapshot -> !snapshot.isComplete())) {
            changeSnapshots(edit -> edit.completeTable(snapshots));
        }
    }

    /** Takes entries that say zero out of all tables: version 2 of the format has none. */
    void expandZeros() throws IOException {
        writer().expansion.expand();
        if (!snapshots.isEmpty()) {
            changeSnapshots(edit -> edit.expandZeros(snapshots, backing != null));
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
        if (!bitmaps.isEmpty()) {
            throw new BlockIOException(
                    BlockIOException.Kind.NOT_SUPPORTED,
                    description() + ": an image with bitmaps cannot be resized yet; remove them first",
                    null);
        }
        writer().resize.resize(size);
        close();
    }

    @Override
    public void deleteSnapshot(String idOrName) throws IOException {
        begin(0, 0);
        changeSnapshots(edit -> {
            Snapshot snapshot = findSnapshot(idOrName);
            if (openSnapshots.contains(snapshot.info().id())) {
                throw new BlockIOException(
                        BlockIOException.Kind.BUSY,
                        description() + ": snapshot "
                                + Printable.quote(snapshot.info().name()) + " is open",
                        null);
            }
            edit.delete(snapshots, snapshot);
        });
    }

    private synchronized void changeSnapshots(TableWriter.TableChange change) throws IOException {
        writer().tables.changeTables(edit -> {
            change.make(edit);
            snapshots = Snapshot.readTable(Qcow2Header.read(file.storage()), file, options.limits());
        });
    }

    void snapshotClosed(String id) {
        openSnapshots.remove(id);
    }

    @Override
    public List<BitmapInfo> bitmaps() {
        return bitmaps.stream().map(Bitmap::info).toList();
    }

    @Override
    public void dirtyRanges(String bitmap, RangeVisitor visitor) throws IOException {
        begin(0, 0);
        if (writer != null && writer.tables.isChanged()) {
            throw new DiskImageException(
                    description() + ": the image was written to since it was opened: its bitmaps are out of date");
        }
        for (Bitmap candidate : bitmaps) {
            if (candidate.info().name().equals(bitmap)) {
                candidate.dirtyRanges(header, file, walkBytes(), visitor);
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
        if (writer != null) {
            writer.tables.flush();
        }
        // its tables may have moved
        Qcow2Header now = writer == null ? header : Qcow2Header.read(file.storage());
        return new Qcow2Check(now, file, snapshots, bitmaps, options.limits(), listener).run();
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
                closer.register(writer.tables::close);
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
