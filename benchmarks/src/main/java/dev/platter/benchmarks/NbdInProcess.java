package dev.platter.benchmarks;

import dev.platter.core.Copier;
import dev.platter.core.DiskImage;
import dev.platter.core.DiskImages;
import dev.platter.core.OpenOptions;
import dev.platter.nbd.client.NbdClient;
import dev.platter.nbd.client.NbdClientOptions;
import dev.platter.nbd.client.NbdExport;
import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStreamReader;
import java.io.RandomAccessFile;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;

/** Copies an export to a new file as often as {@code dev/bench} asks, so that the peer can have its turn in between. */
public final class NbdInProcess {
    private static final int CONNECTIONS = 4;
    private static final int READERS = 32;
    private static final int WRITERS = 2;
    private static final int REQUEST = 256 << 10;
    private static final int ZERO_BLOCK = 4096;

    private NbdInProcess() {}

    /**
     * Copies once for each line of standard input, and prints the seconds that it took.
     *
     * @param args the address of the export, and the file, which is made
     */
    public static void main(String[] args) throws IOException {
        BufferedReader turns = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.US_ASCII));
        while (turns.readLine() != null) {
            long wall = System.nanoTime();
            copy(args[0], Path.of(args[1]));
            InProcess.print(0, (System.nanoTime() - wall) / 1e9);
        }
    }

    /** As {@code platter nbdcopy} does: over four connections, without a flush, leaving out blocks of 4 KiB that are zero. */
    private static void copy(String address, Path target) throws IOException {
        NbdClientOptions client =
                NbdClientOptions.builder().connections(CONNECTIONS).build();
        OpenOptions raw = OpenOptions.builder()
                .format("raw")
                .writable(true)
                .flushes(false)
                .build();
        try (NbdExport export = NbdClient.to(address).with(client).open()) {
            try (RandomAccessFile file = new RandomAccessFile(target.toFile(), "rw")) {
                file.setLength(export.size());
            }
            try (DiskImage file = DiskImages.open(target, raw)) {
                Copier.of(export)
                        .chunkSize(REQUEST)
                        .threads(READERS)
                        .writers(WRITERS)
                        .inOrder(false)
                        .zeroBlock(ZERO_BLOCK)
                        .targetIsZeroed(true)
                        .to(file);
            }
        }
    }
}
