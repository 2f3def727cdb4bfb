package dev.platter.core;

import java.io.IOException;
import java.util.List;
import java.util.Map;
import java.util.OptionalLong;
import org.jspecify.annotations.Nullable;

/** A file whose bytes are the disk's. Its size is the file's to the byte, where qemu rounds up to whole sectors. */
final class RawImage extends ForwardingDevice implements DiskImage {
    private final ImageInfo info;

    RawImage(Storage storage) throws IOException {
        super(Storages.asDevice(storage));
        OptionalLong allocated = storage.allocatedSize();
        this.info = new ImageInfo(
                storage.path() == null ? storage.name() : storage.path().toString(),
                "raw",
                device.size(),
                allocated.isPresent() ? allocated.getAsLong() : null,
                null,
                false,
                false,
                null,
                null,
                null,
                Map.of());
    }

    @Override
    public void extents(long offset, long length, ExtentVisitor visitor) throws IOException {
        device.extents(
                offset,
                length,
                (at, run, facts, depth, below, belowOffset) -> visitor.extent(at, run, facts, depth, device, at));
    }

    @Override
    public ImageInfo info() {
        return info;
    }

    @Override
    public List<SnapshotInfo> snapshots() {
        return List.of();
    }

    @Override
    public BlockDevice openSnapshot(String idOrName) throws IOException {
        throw new DiskImageException(
                description() + ": there is no snapshot " + Printable.quote(idOrName) + ": raw images have none");
    }

    @Override
    public List<BitmapInfo> bitmaps() {
        return List.of();
    }

    @Override
    public void dirtyRanges(String bitmap, RangeVisitor visitor) throws IOException {
        throw new DiskImageException(
                description() + ": there is no bitmap " + Printable.quote(bitmap) + ": raw images have none");
    }

    @Override
    public @Nullable DiskImage backing() {
        return null;
    }

    @Override
    public List<DiskImageException> problems() {
        return List.of();
    }

    @Override
    public List<Warning> warnings() {
        return List.of();
    }

    @Override
    public boolean isCheckable() {
        return false;
    }

    @Override
    public CheckReport check(CheckListener listener) throws IOException {
        throw new UnsupportedFeatureException(description() + ": this image format does not support checks");
    }
}
