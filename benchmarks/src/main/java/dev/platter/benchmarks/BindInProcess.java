package dev.platter.benchmarks;

import dev.platter.inspect.ImageInspector;
import dev.platter.linux.BindOptions;
import dev.platter.linux.Binding;
import dev.platter.linux.LinuxBindings;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.file.Path;

/**
 * Prints the seconds from a closed image to the first bytes of its device: a line for the first time in this JVM, and one for
 * each round when it is warm.
 */
public final class BindInProcess {
    private static final int BLOCK = 4096;
    private static final int REHEARSALS = 20;

    private BindInProcess() {}

    /**
     * Runs the measurement.
     *
     * @param args the number of rounds after the first time, and a raw image with partitions
     */
    public static void main(String[] args) throws IOException {
        int rounds = Integer.parseInt(args[0]);
        Path image = Path.of(args[1]);
        InProcess.print(0, bind(image));
        if (rounds == 0) {
            return;
        }
        WarmUp.with(() -> {
            for (int i = 0; i < REHEARSALS; i++) {
                bind(image);
            }
        });
        for (int round = 0; round < rounds; round++) {
            InProcess.print(round, bind(image));
        }
    }

    private static double bind(Path image) throws IOException {
        long start = System.nanoTime();
        try (ImageInspector inspector = ImageInspector.open(image);
                Binding binding = LinuxBindings.bind(
                        inspector.disks().get(0).device(),
                        BindOptions.readOnly().catalog(inspector).partitions())) {
            read(binding.device(), ByteBuffer.allocateDirect(BLOCK));
            return (System.nanoTime() - start) / 1e9;
        }
    }

    private static void read(Path device, ByteBuffer into) throws IOException {
        try (FileChannel channel = FileChannel.open(device)) {
            while (into.hasRemaining() && channel.read(into) >= 0) {
                // until the block is full
            }
        }
    }
}
