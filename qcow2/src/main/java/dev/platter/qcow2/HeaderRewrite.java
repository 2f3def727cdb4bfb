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
 * Changes what the header of an image says of its backing file or its features, in one write of its first sector: after a
 * crash, the old or the new header is there. Extensions that we do not know are kept; the names of features, which are for people only, go
 * if there is no room for them. Source: qcow2.rst, "Header" and "Header extensions".
 */
final class HeaderRewrite {
    private static final int SECTOR = 512;
    private static final int AUTOCLEAR_FEATURES = 88;
    private static final int V2_LENGTH = 72;
    private static final int V3_LENGTH = 112;

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
        this.headerLength = header.version() == 2 ? V2_LENGTH : cluster.getInt(100);
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
        write(sector(cluster.slice(0, headerLength), extensions, text, false));
    }

    private void write(ByteBuffer sector) throws IOException {
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
        ByteBuffer sector = sector(cluster.slice(0, headerLength), extensions, name(), true);
        long others = cluster.getLong(AUTOCLEAR_FEATURES) & ~Qcow2Header.AUTOCLEAR_BITMAPS;
        sector.putLong(AUTOCLEAR_FEATURES, others | (location == null ? 0 : Qcow2Header.AUTOCLEAR_BITMAPS));
        return sector.position(sector.capacity());
    }

    private byte[] name() {
        int nameAt = (int) cluster.getLong(8);
        byte[] name = new byte[nameAt == 0 ? 0 : cluster.getInt(16)];
        cluster.get(nameAt, name);
        return name;
    }

    /**
     * Sets version, features and where the refcounts are, durably.
     *
     * @throws BlockIOException of kind {@code NO_SPACE} if the first sector has no room for all extensions
     */
    void features(Features to) throws IOException {
        List<Extension> extensions = extensions();
        if (to.version != header.version()) {
            extensions.removeIf(extension -> extension.type == HeaderExtensions.TYPE_FEATURE_NAMES
                    || (to.version == 2 && extension.type == HeaderExtensions.TYPE_BITMAPS));
        }
        if (to.version == 3 && header.version() == 2) {
            ByteBuffer names = ByteBuffer.wrap(NewImage.featureNames());
            extensions.add(new Extension(HeaderExtensions.TYPE_FEATURE_NAMES, names));
        }
        if (to.dataFile != null) {
            ByteBuffer name = ByteBuffer.wrap(to.dataFile.getBytes(StandardCharsets.UTF_8));
            extensions.removeIf(extension -> extension.type == HeaderExtensions.TYPE_DATA_FILE);
            extensions.add(new Extension(HeaderExtensions.TYPE_DATA_FILE, name));
        }
        int length = to.version == 2 ? V2_LENGTH : header.version() == 2 ? V3_LENGTH : headerLength;
        ByteBuffer fixed = ByteBuffer.allocate(length);
        fixed.put(0, cluster, 0, Math.min(length, headerLength)).putInt(4, to.version);
        fixed.putLong(48, to.refcounts.offset()).putInt(56, to.refcounts.clusters());
        if (to.version == 3) {
            fixed.putLong(72, header.incompatibleFeatures()).putLong(80, to.compatible);
            fixed.putLong(88, to.autoclear).putInt(96, to.refcountOrder).putInt(100, length);
        }
        write(sector(fixed, extensions, name(), true));
    }

    /**
     * What a header is to say.
     *
     * @param dataFile the name of the external data file; null to keep it
     */
    record Features(
            int version,
            long compatible,
            long autoclear,
            int refcountOrder,
            NewRefcounts.Place refcounts,
            @Nullable String dataFile) {}

    /**
     * Makes a first sector, and writes the name of the backing file where no sector leads yet.
     *
     * @param keepName whether the name is the one that is there
     */
    private ByteBuffer sector(ByteBuffer fixed, List<Extension> extensions, byte[] text, boolean keepName)
            throws IOException {
        int end = Math.min(SECTOR, cluster.capacity());
        boolean oneSector = cluster.capacity() == SECTOR;
        int room = end - fixed.capacity() - 8 - (oneSector ? text.length : 0);
        if (length(extensions) > room) {
            extensions.removeIf(extension -> extension.type == HeaderExtensions.TYPE_FEATURE_NAMES);
        }
        if (length(extensions) > room) {
            throw noRoom();
        }
        boolean stays = keepName && !oneSector && cluster.getLong(8) >= SECTOR;
        int place = stays
                ? (int) cluster.getLong(8)
                : oneSector ? fixed.capacity() + length(extensions) + 8 : newPlace(text.length);
        ByteBuffer sector = ByteBuffer.allocate(end);
        sector.put(fixed.clear());
        for (Extension extension : extensions) {
            int at = sector.position();
            sector.putInt(extension.type).putInt(extension.data.remaining()).put(extension.data.duplicate());
            sector.position(at + extension.length());
        }
        sector.putLong(8, text.length == 0 ? 0 : place).putInt(16, text.length);
        if (oneSector) {
            sector.put(place, text);
        } else if (text.length > 0 && !stays) {
            storage.write(place, ByteBuffer.wrap(text));
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
