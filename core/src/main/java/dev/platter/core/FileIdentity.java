package dev.platter.core;

import java.nio.file.Path;
import java.nio.file.attribute.BasicFileAttributes;

/**
 * What makes two names the same file: the file system's own key, or, where it has none (Windows), the absolute path and
 * the time of creation.
 */
record FileIdentity(Object key) {

    static FileIdentity of(Path path, BasicFileAttributes attributes) {
        Object key = attributes.fileKey();
        return new FileIdentity(
                key != null
                        ? key
                        : path.toAbsolutePath().normalize() + " of "
                                + attributes.creationTime().toMillis());
    }
}
