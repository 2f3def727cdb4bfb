package dev.platter.core;

import java.io.IOException;
import java.nio.ByteBuffer;

/** The format without a format: the file is the disk. */
public final class RawFormat implements DiskImageFormat {

    /** Makes the format; for {@link java.util.ServiceLoader}. */
    public RawFormat() {}

    @Override
    public String name() {
        return "raw";
    }

    /** Returns false: raw is what is left when no other format claims an image. */
    @Override
    public boolean claims(ByteBuffer head) {
        return false;
    }

    @Override
    public DiskImage open(Storage storage, ReferenceResolver references, OpenOptions options) throws IOException {
        boolean foundOut = options.format() == null && !storage.isDisk();
        return new RawImage(storage, options.writable() && foundOut);
    }
}
