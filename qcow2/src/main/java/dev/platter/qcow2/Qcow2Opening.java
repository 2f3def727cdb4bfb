package dev.platter.qcow2;

import com.google.common.io.Closer;
import com.google.common.math.LongMath;
import dev.platter.core.CorruptImageException;
import dev.platter.core.DiskImage;
import dev.platter.core.DiskImageException;
import dev.platter.core.OpenOptions;
import dev.platter.core.ReadOnlyDeviceException;
import dev.platter.core.ReferenceResolver;
import dev.platter.core.Storage;
import dev.platter.core.UnsupportedFeatureException;
import dev.platter.core.Warning;
import java.io.IOException;
import java.util.ArrayList;
import java.util.List;
import org.jspecify.annotations.Nullable;

/** The steps of opening an image, and what they found. */
final class Qcow2Opening {
    private static final long WALK_BASE = 16 << 20;

    final OpenOptions options;
    final ReferenceResolver references;
    final List<Warning> warnings = new ArrayList<>();
    Qcow2Header header;
    final HostFile file;
    final List<DiskImageException> problems = new ArrayList<>();
    HostFile dataFile;

    @Nullable
    DiskImage backing;

    @Nullable
    DiskImageException backingProblem;

    List<Snapshot> snapshots = List.of();
    List<Bitmap> bitmaps = List.of();

    Qcow2Opening(Storage storage, ReferenceResolver references, OpenOptions options) throws IOException {
        this.options = options;
        this.references = references;
        this.header = Qcow2Header.read(storage);
        this.file = new HostFile(storage, header.clusterSize(), options);
        this.dataFile = file;
    }

    /** An image that was not closed properly gets right refcounts before anything is written; one that is refused does not. */
    private void requireRefcounts() throws IOException {
        if (!options.writable() || !header.isDirty()) {
            return;
        }
        ImageWriter.requirePossible(this);
        Storage storage = file.storage();
        Qcow2.repair(storage, options, Qcow2.Repair.ALL);
        warn(new Warning(
                72,
                storage.name() + ": the image was not closed properly (dirty bit): its refcounts were checked, and"
                        + " made anew where they were wrong"));
        header = Qcow2Header.read(storage);
    }

    /** The bytes of tables that one walk may load before the tables are taken to alias each other. */
    long walkBytes() {
        return LongMath.saturatedAdd(
                WALK_BASE,
                LongMath.saturatedMultiply(file.fileSize(), options.limits().walkFactor()));
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
        requireRefcounts();
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
            throw new CorruptImageException(
                    file.name() + ": the data clusters are in an external data file, but the image does not name it");
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
            DiskImage below = references.openBacking(name, header.extensions().backingFormat());
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
        HeaderExtensions.BitmapDirectoryLocation location = header.extensions().bitmaps();
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
