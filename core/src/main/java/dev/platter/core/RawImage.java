package dev.platter.core;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/**
 * A file whose bytes are the disk's. Its size is the file's to the byte, where qemu rounds up to whole sectors.
 *
 * <p>If nobody said that it is raw, what is written never makes it look like another format: whoever opens it next would
 * follow what the guest wrote there, the names of other files included (CVE-2008-2004).
 */
final class RawImage extends ForwardingDevice implements DiskImage {
    private final @Nullable Path file;
    private final ImageInfo info;
    private final boolean headGuarded;
    private final Object changingHead = new Object();

    RawImage(Storage storage, boolean headGuarded) throws IOException {
        super(Storages.asDevice(storage));
        this.headGuarded = headGuarded;
        this.file = storage instanceof FileStorage ? storage.path() : null;
        this.info = new ImageInfo(
                storage.path() == null ? storage.name() : storage.path().toString(),
                "raw",
                device.size(),
                ImageInfo.sizeOf(storage),
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
    public void write(long offset, ByteBuffer from, Durability durability) throws IOException {
        if (!headGuarded || offset >= DiskImages.HEAD_BYTES || !from.hasRemaining()) {
            device.write(offset, from, durability);
            return;
        }
        synchronized (changingHead) {
            ByteBuffer head = head();
            if (offset >= 0 && offset < head.limit()) {
                int length = Math.min(from.remaining(), head.limit() - (int) offset);
                head.put((int) offset, from, from.position(), length);
                requireStillRaw(offset, head);
            }
            device.write(offset, from, durability);
        }
    }

    @Override
    public void writeZeroes(long offset, long length, ZeroMode mode, Durability durability) throws IOException {
        if (!headGuarded || offset >= DiskImages.HEAD_BYTES || length <= 0) {
            device.writeZeroes(offset, length, mode, durability);
            return;
        }
        synchronized (changingHead) {
            ByteBuffer head = head();
            for (long at = Math.max(0, offset); at < Math.min(head.limit(), offset + length); at++) {
                head.put((int) at, (byte) 0);
            }
            requireStillRaw(offset, head);
            device.writeZeroes(offset, length, mode, durability);
        }
    }

    private ByteBuffer head() throws IOException {
        ByteBuffer head = ByteBuffer.allocate((int) Math.min(DiskImages.HEAD_BYTES, size()));
        device.read(0, head);
        return head.flip();
    }

    private void requireStillRaw(long offset, ByteBuffer head) throws BlockIOException {
        String format = DiskImages.formatOf(head);
        if (format != null) {
            throw new BlockIOException(
                    BlockIOException.Kind.NOT_SUPPORTED,
                    description() + ": write at " + offset + ": whoever opens the file next would take it for " + format
                            + ", because its format was found out, not stated; open it as raw (-f raw) to allow this",
                    null);
        }
    }

    @Nullable
    Path file() {
        return file;
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
    public void dirtyRanges(String bitmap, long from, RangeVisitor visitor) throws IOException {
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
