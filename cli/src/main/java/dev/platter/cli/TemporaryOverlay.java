package dev.platter.cli;

import dev.platter.qcow2.CreateOptions;
import dev.platter.qcow2.Qcow2;
import java.io.Closeable;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;

/** An image that takes what is written to another one, and is deleted in the end: {@code --snapshot}. */
final class TemporaryOverlay implements Closeable {
    private static final Path LARGE_FILES = Path.of("/var/tmp");

    private final Path folder;

    private TemporaryOverlay(Path folder) {
        this.folder = folder;
    }

    /** Makes an overlay, in a folder that nobody else can enter. */
    static TemporaryOverlay over(Path image, String format, long size) throws IOException {
        TemporaryOverlay overlay = new TemporaryOverlay(Files.createTempDirectory(folder(), "platter-nbd-"));
        try {
            String name = image.toAbsolutePath().toString();
            Qcow2.create(
                    overlay.path(),
                    CreateOptions.builder(size).backing(name, format).build());
            return overlay;
        } catch (IOException | RuntimeException e) {
            overlay.close();
            throw e;
        }
    }

    /** It can become as large as the disk, for which memory is not the place. */
    private static Path folder() {
        String stated = System.getenv("TMPDIR");
        if (stated != null && Files.isDirectory(Path.of(stated))) {
            return Path.of(stated);
        }
        return Files.isWritable(LARGE_FILES) ? LARGE_FILES : Path.of(System.getProperty("java.io.tmpdir"));
    }

    Path path() {
        return folder.resolve("overlay.qcow2");
    }

    @Override
    public void close() throws IOException {
        Files.deleteIfExists(path());
        Files.deleteIfExists(folder);
    }
}
