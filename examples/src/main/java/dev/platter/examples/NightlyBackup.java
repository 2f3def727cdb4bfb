package dev.platter.examples;

import dev.platter.core.BitmapInfo;
import dev.platter.core.BlockDevice;
import dev.platter.core.Comparison;
import dev.platter.core.Copier;
import dev.platter.core.DiskImage;
import dev.platter.core.DiskImages;
import dev.platter.core.Durability;
import dev.platter.core.OpenOptions;
import dev.platter.core.ReferencePolicy;
import dev.platter.qcow2.CreateOptions;
import dev.platter.qcow2.Qcow2;
import dev.platter.qcow2.Qcow2Disk;
import java.io.IOException;
import java.io.PrintStream;
import java.nio.ByteBuffer;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.OptionalLong;

/**
 * Backs up what changed since the last night, by a persistent bitmap, into a chain of images:
 *
 * <pre>{@code
 * NightlyBackup backup guest.qcow2 backups         # the first time everything, then what changed
 * NightlyBackup restore backups 2 restored.qcow2   # as it was after the third night
 * }</pre>
 *
 * <p>The guest does not run meanwhile. Each night has an image of its own, {@code 0.qcow2}, {@code 1.qcow2}, ..., that
 * holds what changed and has the night before as its backing file. The bitmap is cleared only when the backup is durable:
 * whatever fails before, the next night copies it too.
 */
public final class NightlyBackup {
    private static final String BITMAP = "nightly";
    private static final int GRANULARITY = 64 << 10;

    private NightlyBackup() {}

    /** Takes {@code backup IMAGE FOLDER} or {@code restore FOLDER NIGHT FILE}. */
    public static void main(String[] args) throws IOException {
        if (args[0].equals("backup")) {
            backup(Path.of(args[1]), Path.of(args[2]), System.out);
        } else {
            restore(Path.of(args[1]), Integer.parseInt(args[2]), Path.of(args[3]));
        }
    }

    static void backup(Path image, Path folder, PrintStream out) throws IOException {
        Files.createDirectories(folder);
        int night = 0;
        while (Files.exists(night(folder, night))) {
            night++;
        }
        Path target = night(folder, night);
        try (Qcow2Disk disk = (Qcow2Disk) DiskImages.open(image, writing())) {
            boolean done = false;
            try {
                long bytes = copy(disk, folder, night);
                verify(disk, target);
                done = true;
                out.println(target.getFileName() + ": " + bytes + " bytes");
            } finally {
                if (!done) {
                    Files.deleteIfExists(target);
                }
            }
            if (records(disk)) {
                disk.clearBitmap(BITMAP);
            } else {
                disk.addBitmap(BITMAP, GRANULARITY, true);
            }
        }
    }

    /** Copies all of it, or what changed; returns how many bytes. */
    private static long copy(Qcow2Disk disk, Path folder, int night) throws IOException {
        CreateOptions.Builder options = CreateOptions.builder(disk.size());
        boolean changesOnly = night > 0 && records(disk);
        if (changesOnly) {
            options.backing(night(folder, night - 1).getFileName().toString(), "qcow2");
        }
        Path target = night(folder, night);
        Qcow2.create(target, options.build());
        long[] copied = {0};
        try (DiskImage to = DiskImages.open(target, writing())) {
            if (changesOnly) {
                disk.dirtyRanges(BITMAP, (offset, length) -> {
                    copyRange(disk, to, offset, length);
                    copied[0] += length;
                    return true;
                });
                to.flush();
            } else {
                Copier.of(disk).targetIsZeroed(true).to(to);
                copied[0] = disk.size();
            }
        }
        return copied[0];
    }

    static void copyRange(BlockDevice from, BlockDevice to, long offset, long length) throws IOException {
        ByteBuffer buffer = ByteBuffer.allocateDirect(1 << 20);
        for (long at = offset; at < offset + length; at += buffer.limit()) {
            buffer.clear().limit((int) Math.min(buffer.capacity(), offset + length - at));
            from.read(at, buffer);
            to.write(at, buffer.flip(), Durability.NONE);
        }
    }

    /** A bitmap that was not saved properly misses changes. */
    private static boolean records(DiskImage disk) {
        for (BitmapInfo bitmap : disk.bitmaps()) {
            if (bitmap.name().equals(BITMAP)) {
                return bitmap.auto() && !bitmap.inUse();
            }
        }
        return false;
    }

    private static void verify(BlockDevice disk, Path backup) throws IOException {
        try (DiskImage copy = DiskImages.open(backup, reading())) {
            OptionalLong difference = Comparison.firstDifference(disk, copy);
            if (difference.isPresent()) {
                throw new IOException(backup + ": differs from the disk at " + difference.getAsLong());
            }
        }
    }

    static void restore(Path folder, int night, Path to) throws IOException {
        try (DiskImage from = DiskImages.open(night(folder, night), reading())) {
            Qcow2.create(to, CreateOptions.builder(from.size()).build());
            try (DiskImage target = DiskImages.open(to, writing())) {
                Copier.of(from).targetIsZeroed(true).to(target);
            }
        }
    }

    static Path night(Path folder, int number) {
        return folder.resolve(number + ".qcow2");
    }

    private static OpenOptions reading() {
        return OpenOptions.builder()
                .format("qcow2")
                .references(ReferencePolicy.all())
                .build();
    }

    static OpenOptions writing() {
        return reading().toBuilder().writable(true).build();
    }
}
