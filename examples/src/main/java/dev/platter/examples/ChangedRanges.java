package dev.platter.examples;

import dev.platter.core.BitmapInfo;
import dev.platter.core.DiskImage;
import dev.platter.core.DiskImages;
import java.io.IOException;
import java.io.PrintStream;
import java.nio.file.Path;

/** What an incremental backup asks: which ranges of the disk are marked in the persistent bitmaps of an image. */
public final class ChangedRanges {

    private ChangedRanges() {}

    /** Takes the path of an image. */
    public static void main(String[] args) throws IOException {
        list(Path.of(args[0]), System.out);
    }

    static void list(Path path, PrintStream out) throws IOException {
        try (DiskImage image = DiskImages.open(path)) {
            for (BitmapInfo bitmap : image.bitmaps()) {
                if (bitmap.inUse()) {
                    out.println(bitmap.name() + ": was not saved properly, a full backup is needed");
                    continue;
                }
                image.dirtyRanges(bitmap.name(), (offset, length) -> {
                    out.println(bitmap.name() + ": " + length + " bytes at " + offset);
                    return true;
                });
            }
        }
    }
}
