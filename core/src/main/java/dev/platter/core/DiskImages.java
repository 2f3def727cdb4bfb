package dev.platter.core;

import java.io.IOException;
import java.net.URI;
import java.nio.ByteBuffer;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * Opens disk images. The format is what the caller states, or what the first bytes say. What is stated to be raw is
 * never looked at; a file that begins as a known format and cannot be opened is damaged, never raw; and a known container
 * that cannot be read is named, never raw either. What {@linkplain Storage#isDisk() is a disk already} is raw unless another
 * format is stated, whatever its guest wrote to its beginning.
 */
public final class DiskImages {
    private static final Services<DiskImageFormat> FORMATS = new Services<>(DiskImageFormat.class);

    /** What is looked at to find out a format. */
    static final int HEAD_BYTES = 4096;

    private DiskImages() {}

    /** Opens an image read-only with the {@linkplain OpenOptions#defaults() defaults}. */
    public static DiskImage open(Path file) throws IOException {
        return open(file, OpenOptions.defaults());
    }

    /**
     * Opens an image.
     *
     * @throws java.nio.file.NoSuchFileException if there is no such file
     * @throws DiskImageException if it is no image that can be read; the message says why
     */
    public static DiskImage open(Path file, OpenOptions options) throws IOException {
        Storage storage = FileStorage.open(file, options.writable(), options.flushes());
        if (!options.writable()) {
            warnOfWriter(file, storage, options);
        }
        return open(storage, options);
    }

    private static void warnOfWriter(Path file, Storage storage, OpenOptions options) throws IOException {
        // the locks of this process look like another's where they belong to the open file
        String writer = FileStorage.isWritten(storage.identity()) ? null : ForeignWriter.of(file);
        if (writer == null) {
            return;
        }
        try {
            options.onWarning()
                    .accept(new Warning(
                            0,
                            storage.name() + ": " + writer
                                    + ": it may change while it is read, which can show as damage"));
        } catch (RuntimeException e) {
            storage.close();
            throw e;
        }
    }

    /** Opens an image by its address; see {@link StorageProvider}. */
    public static DiskImage open(URI address, OpenOptions options) throws IOException {
        return open(Storages.open(address, options), options);
    }

    /** Opens an image that lies on any storage. The storage is closed with the image, or if this throws. */
    public static DiskImage open(Storage storage, OpenOptions options) throws IOException {
        try {
            return open(storage, options, new ReferenceResolver(storage, options, null));
        } catch (IOException | RuntimeException e) {
            storage.close();
            throw e;
        }
    }

    /**
     * Returns the file whose bytes are the device's, from the first to the last: a raw image that lies in a regular file or
     * on a block device. Null for everything else, views included. Whoever writes to the file passes by the image.
     */
    public static @Nullable Path fileOf(BlockDevice device) {
        return device instanceof RawImage raw ? raw.file() : null;
    }

    /** Returns the names of the formats that can be read. */
    public static List<String> formats() {
        List<String> names = new ArrayList<>();
        for (DiskImageFormat format : FORMATS.all()) {
            names.add(format.name());
        }
        return names;
    }

    static DiskImage open(Storage storage, OpenOptions options, ReferenceResolver references) throws IOException {
        return chooseFormat(storage, options).open(storage, references, options);
    }

    private static DiskImageFormat chooseFormat(Storage storage, OpenOptions options) throws IOException {
        String stated = options.format();
        if (stated != null) {
            for (DiskImageFormat format : FORMATS.all()) {
                if (format.name().equals(stated)) {
                    requireClaim(storage, format);
                    return format;
                }
            }
            throw new UnsupportedFeatureException(storage.name() + ": the stated format " + Printable.quote(stated)
                    + " cannot be read; known are " + String.join(", ", formats()));
        }
        ByteBuffer head = head(storage);
        if (storage.isDisk()) {
            warnOfFormat(storage, head, options);
            return new RawFormat();
        }
        DiskImageFormat claimed = claiming(head);
        if (claimed != null) {
            return claimed;
        }
        String container = KnownFormats.nameOf(head, storage);
        if (container != null) {
            throw new UnsupportedFeatureException(storage.name() + ": this is " + container
                    + ", which cannot be read; to read its bytes as they are, state the format raw (-f raw)");
        }
        return new RawFormat();
    }

    private static ByteBuffer head(Storage storage) throws IOException {
        ByteBuffer head = ByteBuffer.allocate(HEAD_BYTES);
        storage.read(0, head);
        return head.flip();
    }

    /** The format of the file behind a disk is often stated for the disk itself; "damaged" would lead nobody to that. */
    private static void requireClaim(Storage storage, DiskImageFormat format) throws IOException {
        if (storage.isDisk() && !(format instanceof RawFormat) && !format.claims(head(storage))) {
            throw new DiskImageException(storage.name() + ": this does not begin as " + format.name()
                    + ": it is the disk that the guest sees, which is raw, whatever the format of the file behind it; leave"
                    + " the format out (--format=" + format.name() + ")");
        }
    }

    private static void warnOfFormat(Storage storage, ByteBuffer head, OpenOptions options) {
        String format = formatOf(head);
        if (format != null) {
            options.onWarning()
                    .accept(new Warning(
                            0,
                            storage.name() + ": this begins as " + format + " and is shown as the raw disk that it is;"
                                    + " if the server exports the bytes of the file itself, state its format"
                                    + " (--format=" + format + ")"));
        }
    }

    private static @Nullable DiskImageFormat claiming(ByteBuffer head) {
        for (DiskImageFormat format : FORMATS.all()) {
            if (format.claims(head)) {
                return format;
            }
        }
        return null;
    }

    /** Returns the name of the format that a file with these first bytes would be taken for, or null if that is raw. */
    static @Nullable String formatOf(ByteBuffer head) {
        DiskImageFormat claimed = claiming(head);
        return claimed == null ? KnownFormats.diskName(head) : claimed.name();
    }
}
