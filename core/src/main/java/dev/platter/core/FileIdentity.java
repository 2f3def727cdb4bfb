package dev.platter.core;

import java.nio.file.Path;
import java.nio.file.attribute.BasicFileAttributes;
import org.jspecify.annotations.Nullable;

/**
 * What makes two names the same file: the file system's own key, or, where it has none (Windows), the absolute path and
 * the time of creation.
 */
final class FileIdentity {
    private final Object key;

    private FileIdentity(Object key) {
        this.key = key;
    }

    static FileIdentity of(Path path, BasicFileAttributes attributes) {
        Object key = attributes.fileKey();
        return new FileIdentity(
                key != null
                        ? key
                        : path.toAbsolutePath().normalize() + " of "
                                + attributes.creationTime().toMillis());
    }

    // no record: its equals would be put together at run time, which takes a tenth of a short command
    @Override
    public boolean equals(@Nullable Object other) {
        return other instanceof FileIdentity identity && key.equals(identity.key);
    }

    @Override
    public int hashCode() {
        return key.hashCode();
    }

    @Override
    public String toString() {
        return String.valueOf(key);
    }
}
