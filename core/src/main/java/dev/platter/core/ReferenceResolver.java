package dev.platter.core;

import java.io.IOException;
import java.net.URI;
import java.net.URISyntaxException;
import java.nio.file.InvalidPathException;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import org.jspecify.annotations.Nullable;

/**
 * Opens what an image names, for its format: asks the {@link ReferencePolicy} first, keeps to the depth that {@link
 * Limits} allow, and finds chains that lead back to themselves. One resolver belongs to one image.
 */
public final class ReferenceResolver {
    private final Storage storage;
    private final OpenOptions options;
    private final @Nullable ReferenceResolver overlay;
    private final int depth;

    ReferenceResolver(Storage storage, OpenOptions options, @Nullable ReferenceResolver overlay) {
        this.storage = storage;
        this.options = options;
        this.overlay = overlay;
        this.depth = overlay == null ? 1 : overlay.depth + 1;
    }

    /**
     * Opens a backing file, read-only, with half of the overlay's cache.
     *
     * @param name the name as the image holds it
     * @param format the format that the image states, or null if it states none
     * @throws ReferenceRefusedException if the policy refuses it, or if no format is stated and probing was not allowed
     * @throws LimitExceededException if the chain is too deep
     * @throws DiskImageException if it is missing, cannot be opened, or is an image that is already in the chain
     */
    public DiskImage openBacking(String name, @Nullable String format) throws IOException {
        Reference reference = reference(Reference.Kind.BACKING_FILE, name);
        options.references().check(reference);
        if (format == null && !options.probeBackingFormat()) {
            throw new ReferenceRefusedException(
                    reference + " may not be opened: the image does not state its format; --allow-probing finds it out"
                            + " from its contents, which its guest could have written");
        }
        if (depth >= options.limits().chainDepth()) {
            throw new LimitExceededException(reference + " may not be opened: the backing chain is longer than "
                    + options.limits().chainDepth() + " images");
        }
        OpenOptions below = options.toBuilder()
                .format(format)
                .writable(false)
                .cacheBytes(Math.max(1 << 20, options.cacheBytes() / 2))
                .build();
        Storage opened = openStorage(reference, below);
        try {
            return DiskImages.open(opened, below, new ReferenceResolver(opened, below, this));
        } catch (BlockIOException e) {
            opened.close();
            throw new DiskImageException(reference + " cannot be opened: " + e.getMessage(), e);
        } catch (IOException | RuntimeException e) {
            opened.close();
            throw e;
        }
    }

    /**
     * Opens an external data file, for writing if the image is opened so.
     *
     * @throws ReferenceRefusedException if the policy refuses it
     * @throws DiskImageException if it is missing, or is an image of the chain itself
     */
    public Storage openDataFile(String name) throws IOException {
        Reference reference = reference(Reference.Kind.DATA_FILE, name);
        options.references().check(reference);
        return openStorage(reference, options);
    }

    /**
     * Returns the whole name of a reference, relative names joined to the folder of the image, for a person or another
     * program. Nothing is opened.
     */
    public String resolve(String name) {
        Path path = localPath(name);
        return path == null ? name : path.toString();
    }

    private Reference reference(Reference.Kind kind, String name) {
        return new Reference(kind, storage.name(), name, localPath(name));
    }

    private Storage openStorage(Reference reference, OpenOptions below) throws IOException {
        Storage opened;
        try {
            opened = open(reference, below);
        } catch (NoSuchFileException e) {
            throw new DiskImageException(reference + " does not exist (" + reference.path() + ")", e);
        } catch (DiskImageException e) {
            throw e;
        } catch (IOException e) {
            throw new DiskImageException(reference + " cannot be opened: " + e.getMessage(), e);
        }
        for (ReferenceResolver above = this; above != null; above = above.overlay) {
            if (above.storage.identity().equals(opened.identity())) {
                opened.close();
                throw new CorruptImageException(reference + " is "
                        + (above == this
                                ? "the image itself"
                                : "an image of the same backing chain, which never ends"));
            }
        }
        return opened;
    }

    private static Storage open(Reference reference, OpenOptions below) throws IOException {
        Path path = reference.path();
        if (path != null) {
            return Storages.open(path, below.writable());
        }
        URI address = address(reference);
        try {
            return Storages.open(address, below);
        } catch (UnsupportedFeatureException e) {
            throw new UnsupportedFeatureException(reference + " cannot be opened: " + e.getMessage(), e);
        }
    }

    private static URI address(Reference reference) throws UnsupportedFeatureException {
        try {
            return new URI(reference.name());
        } catch (URISyntaxException e) {
            throw new UnsupportedFeatureException(
                    reference + " is neither a file name nor an address that can be opened", e);
        }
    }

    /** A colon before the first slash makes a protocol name (qemu's rule, path_has_protocol). */
    private @Nullable Path localPath(String name) {
        int colon = name.indexOf(':');
        int slash = name.indexOf('/');
        if (colon >= 0 && (slash < 0 || colon < slash)) {
            return null;
        }
        Path own = storage.path();
        try {
            if (own == null) {
                Path path = Path.of(name);
                return path.isAbsolute() ? path : null;
            }
            return own.resolveSibling(name);
        } catch (InvalidPathException e) {
            return null;
        }
    }
}
