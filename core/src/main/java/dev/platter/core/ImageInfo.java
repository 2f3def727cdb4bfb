package dev.platter.core;

import java.io.IOException;
import java.util.Map;
import java.util.OptionalLong;
import org.jspecify.annotations.Nullable;

/** What an image says of itself, in the terms of {@code qemu-img info --output=json}. Immutable. */
public final class ImageInfo {
    private final String filename;
    private final String format;
    private final long virtualSize;
    private final ActualSize actualSize;
    private final @Nullable Long clusterSize;
    private final boolean encrypted;
    private final boolean dirty;
    private final @Nullable String backingFilename;
    private final @Nullable String fullBackingFilename;
    private final @Nullable String backingFormat;
    private final Map<String, Object> formatSpecific;

    /** Asks for the bytes that a file takes on disk: not before somebody wants to know, for the asking takes time. */
    @FunctionalInterface
    public interface ActualSize {
        /** Returns the bytes; null where that cannot be asked. */
        @Nullable
        Long ask();
    }

    /**
     * Makes a value of what a format found.
     *
     * @param filename the name it was opened by
     * @param format name of the format
     * @param virtualSize bytes that the guest sees
     * @param actualSize asks for the bytes that the file takes on disk; see {@link #sizeOf}
     * @param clusterSize bytes of a cluster; null for formats without
     * @param encrypted whether the contents are encrypted
     * @param dirty whether the image was not closed properly
     * @param backingFilename the backing file as the image names it, or null
     * @param fullBackingFilename the backing file with its folder, or null
     * @param backingFormat the stated format of the backing file, or null
     * @param formatSpecific what only this format has: strings, numbers, booleans, and lists and maps of these, by qemu's
     *     names
     */
    public ImageInfo(
            String filename,
            String format,
            long virtualSize,
            ActualSize actualSize,
            @Nullable Long clusterSize,
            boolean encrypted,
            boolean dirty,
            @Nullable String backingFilename,
            @Nullable String fullBackingFilename,
            @Nullable String backingFormat,
            Map<String, Object> formatSpecific) {
        this.filename = filename;
        this.format = format;
        this.virtualSize = virtualSize;
        this.actualSize = actualSize;
        this.clusterSize = clusterSize;
        this.encrypted = encrypted;
        this.dirty = dirty;
        this.backingFilename = backingFilename;
        this.fullBackingFilename = fullBackingFilename;
        this.backingFormat = backingFormat;
        this.formatSpecific = formatSpecific;
    }

    /** Returns what asks a storage for the bytes that it takes; what cannot be asked is absent. */
    public static ActualSize sizeOf(Storage storage) {
        return () -> {
            try {
                OptionalLong allocated = storage.allocatedSize();
                return allocated.isPresent() ? allocated.getAsLong() : null;
            } catch (IOException e) {
                // it was closed, or the file is gone
                return null;
            }
        };
    }

    /** Returns the name it was opened by. */
    public String filename() {
        return filename;
    }

    /** Returns the name of the format. */
    public String format() {
        return format;
    }

    /** Returns the bytes that the guest sees. */
    public long virtualSize() {
        return virtualSize;
    }

    /**
     * Asks for the bytes that the file takes on disk now; null where that cannot be asked, see {@link FileFacts}, or the image
     * is closed.
     */
    public @Nullable Long actualSize() {
        return actualSize.ask();
    }

    /** Returns the bytes of a cluster; null for formats without. */
    public @Nullable Long clusterSize() {
        return clusterSize;
    }

    /** Returns whether the contents are encrypted. */
    public boolean encrypted() {
        return encrypted;
    }

    /** Returns whether the image was not closed properly. */
    public boolean dirty() {
        return dirty;
    }

    /** Returns the backing file as the image names it, or null. */
    public @Nullable String backingFilename() {
        return backingFilename;
    }

    /** Returns the backing file with its folder, or null. */
    public @Nullable String fullBackingFilename() {
        return fullBackingFilename;
    }

    /** Returns the stated format of the backing file, or null. */
    public @Nullable String backingFormat() {
        return backingFormat;
    }

    /** Returns what only this format has: strings, numbers, booleans, and lists and maps of these, by qemu's names. */
    public Map<String, Object> formatSpecific() {
        return formatSpecific;
    }
}
