package dev.platter.qcow2;

import dev.platter.core.BlockIOException;
import dev.platter.core.Storage;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * Changes what the header of an image says of its backing file, in one write of its first sector: after a crash, the old
 * or the new name is there. Extensions that we do not know are kept; the names of features, which are for people only, go
 * if there is no room for them. Source: qcow2.rst, "Header" and "Header extensions".
 */
final class HeaderRewrite {
    private static final int SECTOR = 512;
    private static final int AUTOCLEAR_FEATURES = 88;

    private final Storage storage;
    private final Qcow2Header header;
    private final ByteBuffer cluster;
    private final int headerLength;

    /** An extension as it is stored. */
    private record Extension(int type, ByteBuffer data) {
        int length() {
            return 8 + ((data.remaining() + 7) & -8);
        }
    }

    HeaderRewrite(Storage storage) throws IOException {
        this.storage = storage;
        this.header = Qcow2Header.read(storage);
        this.cluster = ByteBuffer.allocate(header.clusterSize());
        storage.read(0, cluster);
        cluster.clear();
        this.headerLength = header.version() == 2 ? 72 : cluster.getInt(100);
    }

    /**
     * Sets the backing file, durably.
     *
     * @param name as it is stored; null for none
     * @param format its format; null if there is none
     * @throws BlockIOException of kind {@code NO_SPACE} if the header has no room for the name
     */
    void backing(@Nullable String name, @Nullable String format) throws IOException {
        byte[] text = name == null ? new byte[0] : name.getBytes(StandardCharsets.UTF_8);
        List<Extension> extensions = extensions();
        extensions.removeIf(extension -> extension.type == HeaderExtensions.TYPE_BACKING_FORMAT);
        if (format != null) {
            ByteBuffer data = ByteBuffer.wrap(format.getBytes(StandardCharsets.UTF_8));
            extensions.add(0, new Extension(HeaderExtensions.TYPE_BACKING_FORMAT, data));
        }
        ByteBuffer sector = sector(extensions, text, true);
        storage.flush();
        storage.write(0, sector);
        storage.flush();
    }

    /**
     * Returns a first sector that names another directory of bitmaps, or none. The rest of the header is ready for it, but
     * not durable.
     *
     * @throws BlockIOException of kind {@code NO_SPACE} if the header has no room for it
     */
    ByteBuffer withBitmaps(HeaderExtensions.@Nullable BitmapDirectoryLocation location) throws IOException {
        List<Extension> extensions = extensions();
        extensions.removeIf(extension -> extension.type == HeaderExtensions.TYPE_BITMAPS);
        if (location != null) {
            ByteBuffer data = ByteBuffer.allocate(24).putInt((int) location.count());
            data.putInt(0).putLong(location.size()).putLong(location.offset());
            extensions.add(0, new Extension(HeaderExtensions.TYPE_BITMAPS, data.flip()));
        }
        int nameAt = (int) cluster.getLong(8);
        byte[] name = new byte[nameAt == 0 ? 0 : cluster.getInt(16)];
        cluster.get(nameAt, name);
        ByteBuffer sector = sector(extensions, name, nameAt < SECTOR);
        long others = cluster.getLong(AUTOCLEAR_FEATURES) & ~Qcow2Header.AUTOCLEAR_BITMAPS;
        sector.putLong(AUTOCLEAR_FEATURES, others | (location == null ? 0 : Qcow2Header.AUTOCLEAR_BITMAPS));
        return sector.position(sector.capacity());
    }

    /** Makes a first sector, and writes the name of the backing file where no sector leads yet. */
    private ByteBuffer sector(List<Extension> extensions, byte[] name, boolean nameMoves) throws IOException {
        int end = Math.min(SECTOR, cluster.capacity());
        boolean oneSector = cluster.capacity() == SECTOR;
        int room = end - headerLength - 8 - (oneSector ? name.length : 0);
        if (length(extensions) > room) {
            extensions.removeIf(extension -> extension.type == HeaderExtensions.TYPE_FEATURE_NAMES);
        }
        if (length(extensions) > room) {
            throw noRoom();
        }
        ByteBuffer sector = ByteBuffer.allocate(end);
        sector.put(cluster.slice(0, headerLength));
        for (Extension extension : extensions) {
            int at = sector.position();
            sector.putInt(extension.type).putInt(extension.data.remaining()).put(extension.data.duplicate());
            sector.position(at + extension.length());
        }
        if (name.length == 0) {
            return sector.putLong(8, 0).putInt(16, 0).clear();
        }
        if (oneSector) {
            int place = headerLength + length(extensions) + 8;
            return sector.putLong(8, place)
                    .putInt(16, name.length)
                    .put(place, name)
                    .clear();
        }
        if (nameMoves) {
            int place = newPlace(name.length);
            storage.write(place, ByteBuffer.wrap(name));
            sector.putLong(8, place).putInt(16, name.length);
        }
        return sector.clear();
    }

    private static int length(List<Extension> extensions) {
        return extensions.stream().mapToInt(Extension::length).sum();
    }

    private List<Extension> extensions() {
        List<Extension> found = new ArrayList<>();
        long nameAt = cluster.getLong(8);
        int end = nameAt == 0 ? cluster.capacity() : (int) nameAt;
        // the header was read, so all of them lie where they should
        for (int at = headerLength; at <= end - 8 && cluster.getInt(at) != 0; ) {
            int length = cluster.getInt(at + 4);
            Extension extension = new Extension(cluster.getInt(at), cluster.slice(at + 8, length));
            found.add(extension);
            at += extension.length();
        }
        return found;
    }

    /** Behind the first sector, where the old name is not. */
    private int newPlace(int length) throws BlockIOException {
        int oldAt = (int) cluster.getLong(8);
        int oldEnd = oldAt == 0 ? SECTOR : Math.max(SECTOR, oldAt + cluster.getInt(16));
        if (oldEnd + length <= cluster.capacity()) {
            return oldEnd;
        }
        if (SECTOR + length <= oldAt) {
            return SECTOR;
        }
        throw noRoom();
    }

    private BlockIOException noRoom() {
        return new BlockIOException(
                BlockIOException.Kind.NO_SPACE,
                storage.name() + ": the header is a cluster of " + header.clusterSize()
                        + " bytes and has no room for that",
                null);
    }
}
