package dev.platter.core;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.InvalidPathException;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.nio.file.attribute.BasicFileAttributes;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * Whether the file or address that an image names may be opened. An image is written by whoever wrote it, and a name in
 * it can be {@code /etc/shadow} or the address of a service that only this host can reach.
 */
@FunctionalInterface
public interface ReferencePolicy {

    /**
     * Allows the reference by returning. Called before anything is known of the file; an implementation that refuses
     * must not touch it.
     *
     * @throws ReferenceRefusedException if it may not be opened; the message names it and says how to allow it
     * @throws IOException if the file system fails
     */
    void check(Reference reference) throws IOException;

    /** Returns the policy that opens nothing. It is the default. */
    static ReferencePolicy none() {
        return reference -> {
            throw new ReferenceRefusedException(
                    reference + " may not be opened (no reference is allowed)" + advice(reference));
        };
    }

    /**
     * Returns the policy that opens regular files below the given folders, after all links are followed. Addresses,
     * pseudo names such as {@code json:}, devices and pipes are refused. A name that leads elsewhere by its text alone is
     * refused without touching the file system.
     */
    static ReferencePolicy under(Path... folders) {
        List<Path> allowed = List.of(folders);
        return reference -> {
            Path path = reference.path();
            if (path == null) {
                throw new ReferenceRefusedException(
                        reference + " may not be opened: only plain file names in the allowed folders may");
            }
            if (!isUnder(path.toAbsolutePath().normalize(), allowed)) {
                throw new ReferenceRefusedException(
                        reference + " may not be opened: it is not in an allowed folder" + advice(reference));
            }
            Path real;
            try {
                real = path.toRealPath();
            } catch (NoSuchFileException e) {
                throw new DiskImageException(reference + " does not exist (" + path + ")", e);
            } catch (IOException e) {
                // too long, a loop of links, a file where a folder should be: the name is the image's, not the system's
                throw new DiskImageException(reference + " cannot be opened: " + e.getMessage(), e);
            }
            if (!isUnder(real, allowed)) {
                throw new ReferenceRefusedException(
                        reference + " may not be opened: it is a link to " + real + ", outside the allowed folders");
            }
            if (!Files.readAttributes(real, BasicFileAttributes.class).isRegularFile()) {
                throw new ReferenceRefusedException(reference + " may not be opened: it is no regular file");
            }
        };
    }

    /** Returns the policy that opens everything: for whoever made the image. */
    static ReferencePolicy all() {
        return reference -> {};
    }

    private static boolean isUnder(Path path, List<Path> folders) throws IOException {
        for (Path folder : folders) {
            if (path.startsWith(folder.toAbsolutePath().normalize())
                    || (Files.exists(folder) && path.startsWith(folder.toRealPath()))) {
                return true;
            }
        }
        return false;
    }

    private static String advice(Reference reference) {
        Path folder = parent(reference.path());
        return folder == null
                ? ""
                : "; --allow-references " + Printable.escape(folder.toString())
                        + " (ReferencePolicy.under) allows its folder";
    }

    private static @Nullable Path parent(@Nullable Path path) {
        if (path == null) {
            return null;
        }
        try {
            return path.toAbsolutePath().normalize().getParent();
        } catch (InvalidPathException e) {
            return null;
        }
    }
}
