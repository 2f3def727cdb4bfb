package dev.platter.core;

import java.io.IOException;
import java.net.URI;
import java.nio.file.FileSystemNotFoundException;
import java.nio.file.Path;
import java.util.Set;

/** Opens {@code file:} addresses. */
public final class FileStorageProvider implements StorageProvider {

    /** Makes the provider; for {@link java.util.ServiceLoader}. */
    public FileStorageProvider() {}

    @Override
    public Set<String> schemes() {
        return Set.of("file");
    }

    @Override
    public Storage open(URI address, OpenOptions options) throws IOException {
        Path path;
        try {
            path = address.getScheme() == null ? Path.of(address.getPath()) : Path.of(address);
        } catch (IllegalArgumentException | FileSystemNotFoundException e) {
            throw new BlockIOException(
                    BlockIOException.Kind.NOT_SUPPORTED, address + ": names no local file: " + e.getMessage(), e);
        }
        return Storages.open(path, options.writable());
    }
}
