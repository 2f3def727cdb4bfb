package dev.platter.examples;

import dev.platter.core.DiskImage;
import dev.platter.core.DiskImages;
import dev.platter.core.Durability;
import dev.platter.core.OpenOptions;
import dev.platter.core.ReferencePolicy;
import dev.platter.qcow2.CreateOptions;
import dev.platter.qcow2.Qcow2;
import java.io.IOException;
import java.io.PrintStream;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;

/**
 * A golden image that many guests share: {@code GoldenImage FOLDER 1000} makes it, and an overlay for each guest, which
 * takes a few hundred kilobytes until its guest writes. What a guest writes, nobody else sees.
 */
public final class GoldenImage {
    private static final long SIZE = 1L << 30;
    private static final int TEXT = 32;

    private GoldenImage() {}

    /** Takes an empty folder and the number of guests. */
    public static void main(String[] args) throws IOException {
        run(Path.of(args[0]), Integer.parseInt(args[1]), System.out);
    }

    static void run(Path folder, int guests, PrintStream out) throws IOException {
        Path golden = folder.resolve("golden.qcow2");
        Qcow2.create(golden, CreateOptions.builder(SIZE).build());
        write(golden, "golden");

        // from here on nobody writes to the golden image: the overlays would see it
        CreateOptions overlay =
                CreateOptions.builder(SIZE).backing("golden.qcow2", "qcow2").build();
        for (int i = 0; i < guests; i++) {
            Qcow2.create(guest(folder, i), overlay);
        }
        out.println(guests + " overlays of " + Files.size(guest(folder, 0)) + " bytes each");

        for (int i = 0; i < guests; i += 100) {
            write(guest(folder, i), "guest " + i);
        }
        out.println("golden image: " + read(golden));
        out.println("guest 0: " + read(guest(folder, 0)));
        out.println("guest 1: " + read(guest(folder, 1)));
    }

    private static Path guest(Path folder, int number) {
        return folder.resolve("guest-" + number + ".qcow2");
    }

    /** Overlays name their backing file, and nothing that an image names is opened unless it is allowed. */
    private static OpenOptions.Builder options(Path image) {
        return OpenOptions.builder()
                .format("qcow2")
                .references(ReferencePolicy.under(image.toAbsolutePath().getParent()));
    }

    private static void write(Path image, String text) throws IOException {
        byte[] bytes = new byte[TEXT];
        byte[] encoded = text.getBytes(StandardCharsets.UTF_8);
        System.arraycopy(encoded, 0, bytes, 0, encoded.length);
        try (DiskImage disk =
                DiskImages.open(image, options(image).writable(true).build())) {
            disk.write(SIZE / 2, ByteBuffer.wrap(bytes), Durability.FUA);
        }
    }

    private static String read(Path image) throws IOException {
        byte[] bytes = new byte[TEXT];
        try (DiskImage disk = DiskImages.open(image, options(image).build())) {
            disk.read(SIZE / 2, ByteBuffer.wrap(bytes));
        }
        return new String(bytes, StandardCharsets.UTF_8).trim();
    }
}
