package dev.platter.core;

import java.io.IOException;
import java.nio.ByteBuffer;

/**
 * A service: a disk image format. Found by {@link java.util.ServiceLoader}, once; a module adds a format by providing
 * this, and nothing else changes. Safe for many threads.
 */
public interface DiskImageFormat {

    /** Returns the name of the format as qemu spells it: {@code qcow2}. */
    String name();

    /**
     * Returns whether these are the first bytes of an image of this format, whole or damaged. What is claimed is never
     * taken for another format, nor for raw.
     *
     * @param head the first 4096 bytes, or fewer if there are no more; read it by index
     */
    boolean claims(ByteBuffer head);

    /**
     * Opens an image.
     *
     * @param storage the bytes; closed with the image, or by the caller if this throws
     * @param references opens what the image names
     * @throws DiskImageException if it is damaged, or needs what is not supported
     */
    DiskImage open(Storage storage, ReferenceResolver references, OpenOptions options) throws IOException;
}
