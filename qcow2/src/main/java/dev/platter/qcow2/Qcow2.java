package dev.platter.qcow2;

import dev.platter.core.BlockIOException;
import dev.platter.core.Storage;
import dev.platter.core.Storages;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;

/** What can be done with qcow2 images as files. */
public final class Qcow2 {

    private Qcow2() {}

    /**
     * Makes an image, durably. Open it with {@link dev.platter.core.DiskImages}.
     *
     * @param file the new file
     * @throws java.nio.file.FileAlreadyExistsException if there is such a file, and it may not be replaced
     * @throws BlockIOException of kind {@code NOT_SUPPORTED} if clusters of that size cannot map a disk of that size
     */
    public static void create(Path file, CreateOptions options) throws IOException {
        NewImage image = new NewImage(options);
        image.requirePossible(String.valueOf(file.getFileName()));
        boolean existed = options.overwrite() && Files.exists(file);
        if (!existed) {
            Files.newByteChannel(file, StandardOpenOption.WRITE, StandardOpenOption.CREATE_NEW).close();
        }
        boolean done = false;
        try (Storage storage = Storages.open(file, true)) {
            image.write(storage);
            done = true;
        } finally {
            if (!done && !existed) {
                Files.deleteIfExists(file);
            }
        }
    }
}
