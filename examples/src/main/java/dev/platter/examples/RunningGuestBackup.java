package dev.platter.examples;

import dev.platter.core.BlockStatusSource;
import dev.platter.core.Comparison;
import dev.platter.core.Copier;
import dev.platter.core.DiskImage;
import dev.platter.core.DiskImages;
import dev.platter.nbd.client.NbdClient;
import dev.platter.nbd.client.NbdClientOptions;
import dev.platter.nbd.client.NbdExport;
import dev.platter.qcow2.CreateOptions;
import dev.platter.qcow2.Qcow2;
import java.io.IOException;
import java.io.PrintStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Optional;
import java.util.OptionalLong;

/**
 * Backs up the disk of a QEMU guest that runs, the first time everything, then what changed, into the chain of images that
 * {@link NightlyBackup} makes and restores:
 *
 * <pre>{@code
 * qemu-system-x86_64 -qmp unix:/run/guest.qmp,server=on,wait=off -drive file=guest.qcow2,node-name=disk0 ...
 *
 * RunningGuestBackup /run/guest.qmp disk0 backups
 * }</pre>
 *
 * <p>Each backup is the disk at one moment; the guest goes on meanwhile. What changed since is read over NBD, from the dirty
 * bitmap that QEMU kept. It forgets that when it ends: the backup after that copies everything again. QEMU must be able to
 * use a folder that this program makes, so both run as the same user.
 */
public final class RunningGuestBackup {

    private RunningGuestBackup() {}

    /** Takes {@code SOCKET NODE FOLDER}. */
    public static void main(String[] args) throws IOException {
        backup(Path.of(args[0]), args[1], Path.of(args[2]), System.out);
    }

    static void backup(Path monitor, String node, Path folder, PrintStream out) throws IOException {
        Files.createDirectories(folder);
        int number = 0;
        while (Files.exists(NightlyBackup.night(folder, number))) {
            number++;
        }
        Path target = NightlyBackup.night(folder, number);
        try (QmpMonitor qemu = new QmpMonitor(monitor);
                FrozenDisk frozen = new FrozenDisk(qemu, node, number)) {
            boolean done = false;
            try {
                long bytes = copy(frozen, folder, number);
                frozen.accept();
                done = true;
                out.println(target.getFileName() + ": " + bytes + " bytes");
            } finally {
                if (!done) {
                    Files.deleteIfExists(target);
                }
            }
        }
    }

    /** Copies all of it, or what changed; returns how many bytes. */
    private static long copy(FrozenDisk frozen, Path folder, int number) throws IOException {
        Optional<String> context = frozen.changes().map(BlockStatusSource.DIRTY_BITMAP::concat);
        NbdClientOptions contexts = NbdClientOptions.builder()
                .contexts(List.of(context.orElse(BlockStatusSource.BASE_ALLOCATION)))
                .build();
        Path target = NightlyBackup.night(folder, number);
        try (NbdExport disk = NbdClient.to(frozen.uri()).with(contexts).open()) {
            CreateOptions.Builder options = CreateOptions.builder(disk.size());
            if (context.isPresent()) {
                options.backing(
                        NightlyBackup.night(folder, number - 1).getFileName().toString(), "qcow2");
            }
            Qcow2.create(target, options.build());
            try (DiskImage to = DiskImages.open(target, NightlyBackup.writing())) {
                long bytes;
                if (context.isPresent()) {
                    bytes = copyChanges(disk, context.get(), to);
                } else {
                    Copier.of(disk).targetIsZeroed(true).to(to);
                    bytes = disk.size();
                }
                to.flush();
                // reads all of both, which a large disk may not be worth every time
                verify(disk, to);
                return bytes;
            }
        }
    }

    private static long copyChanges(NbdExport disk, String context, DiskImage to) throws IOException {
        long[] copied = {0};
        disk.status(context, 0, disk.size(), (offset, length, status) -> {
            if ((status & BlockStatusSource.DIRTY) != 0) {
                NightlyBackup.copyRange(disk, to, offset, length);
                copied[0] += length;
            }
            return true;
        });
        return copied[0];
    }

    private static void verify(NbdExport disk, DiskImage backup) throws IOException {
        OptionalLong difference = Comparison.firstDifference(disk, backup);
        if (difference.isPresent()) {
            throw new IOException(backup.description() + ": differs from the disk at " + difference.getAsLong());
        }
    }
}
