package dev.platter.nbd.client;

import dev.platter.core.BlockIOException;
import dev.platter.core.Durability;
import dev.platter.core.ExtentVisitor;
import dev.platter.core.Features;
import dev.platter.core.ReadOnlyDeviceException;
import dev.platter.core.Storage;
import dev.platter.core.ZeroMode;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.file.Path;
import java.util.OptionalLong;
import org.jspecify.annotations.Nullable;

/** An export as the storage that an image, or the disk itself, lies on. */
final class NbdStorage implements Storage {
    private final NbdUri uri;
    private final NbdExport export;

    NbdStorage(NbdUri uri, NbdExport export) {
        this.uri = uri;
        this.export = export;
    }

    @Override
    public String name() {
        return export.description();
    }

    /** Two addresses of one export can differ; that these are the same is all that can be known. */
    @Override
    public Object identity() {
        return uri.toString();
    }

    @Override
    public @Nullable Path path() {
        return null;
    }

    @Override
    public boolean isDisk() {
        return true;
    }

    @Override
    public boolean isReadOnly() {
        return export.features().readOnly();
    }

    @Override
    public long size() {
        return export.size();
    }

    @Override
    public void setSize(long size) throws IOException {
        if (isReadOnly()) {
            throw new ReadOnlyDeviceException(name());
        }
        throw new BlockIOException(
                BlockIOException.Kind.NOT_SUPPORTED, name() + ": the size of an NBD export is fixed", null);
    }

    @Override
    public int read(long offset, ByteBuffer into) throws IOException {
        long at = Math.min(offset, export.size());
        int run = (int) Math.min(into.remaining(), export.size() - at);
        int limit = into.limit();
        into.limit(into.position() + run);
        try {
            export.read(at, into);
        } finally {
            into.limit(limit);
        }
        return run;
    }

    @Override
    public void write(long offset, ByteBuffer from) throws IOException {
        if (!isReadOnly() && offset > size() - from.remaining()) {
            throw new BlockIOException(
                    BlockIOException.Kind.NO_SPACE,
                    name() + ": write of " + from.remaining() + " at " + offset + ": the export has " + size()
                            + " bytes and cannot grow",
                    null);
        }
        export.write(offset, from, Durability.NONE);
    }

    @Override
    public void writeZeroes(long offset, long length, ZeroMode mode) throws IOException {
        export.writeZeroes(offset, length, mode, Durability.NONE);
    }

    @Override
    public void discard(long offset, long length) throws IOException {
        export.discard(offset, length);
    }

    @Override
    public void flush() throws IOException {
        export.flush();
    }

    @Override
    public OptionalLong allocatedSize() {
        return OptionalLong.empty();
    }

    @Override
    public void extents(long offset, long length, ExtentVisitor visitor) throws IOException {
        export.extents(
                offset,
                length,
                (at, run, facts, depth, below, belowOffset) -> visitor.extent(at, run, facts, depth, export, at));
    }

    @Override
    public Features features() {
        return export.features();
    }

    @Override
    public void close() throws IOException {
        export.close();
    }
}
