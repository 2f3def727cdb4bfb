package dev.platter.core;

import java.util.Map;
import org.jspecify.annotations.Nullable;

/**
 * What an image says of itself, in the terms of {@code qemu-img info --output=json}.
 *
 * @param filename the name it was opened by
 * @param format name of the format
 * @param virtualSize bytes that the guest sees
 * @param actualSize bytes that the file takes on disk; null where that cannot be asked, see {@link FileFacts}
 * @param clusterSize bytes of a cluster; null for formats without
 * @param encrypted whether the contents are encrypted
 * @param dirty whether the image was not closed properly
 * @param backingFilename the backing file as the image names it, or null
 * @param fullBackingFilename the backing file with its folder, or null
 * @param backingFormat the stated format of the backing file, or null
 * @param formatSpecific what only this format has: strings, numbers, booleans, and lists and maps of these, by qemu's
 *     names
 */
public record ImageInfo(
        String filename,
        String format,
        long virtualSize,
        @Nullable Long actualSize,
        @Nullable Long clusterSize,
        boolean encrypted,
        boolean dirty,
        @Nullable String backingFilename,
        @Nullable String fullBackingFilename,
        @Nullable String backingFormat,
        Map<String, Object> formatSpecific) {}
