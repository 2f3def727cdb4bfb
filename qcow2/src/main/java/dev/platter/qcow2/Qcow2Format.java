package dev.platter.qcow2;

import dev.platter.core.DiskImage;
import dev.platter.core.DiskImageFormat;
import dev.platter.core.OpenOptions;
import dev.platter.core.ReferenceResolver;
import dev.platter.core.Storage;
import java.io.IOException;
import java.nio.ByteBuffer;

/** Opens qcow2 images, versions 2 and 3. */
public final class Qcow2Format implements DiskImageFormat {

    /** Makes the format; for {@link java.util.ServiceLoader}. */
    public Qcow2Format() {}

    @Override
    public String name() {
        return "qcow2";
    }

    /** Claims everything that begins with the magic, whatever its version, so that a damaged image is never raw. */
    @Override
    public boolean claims(ByteBuffer head) {
        for (int i = 0; i < Integer.BYTES; i++) {
            if (i >= head.limit() || head.get(i) != (byte) (Qcow2Header.MAGIC >>> (24 - 8 * i))) {
                return false;
            }
        }
        return true;
    }

    @Override
    public DiskImage open(Storage storage, ReferenceResolver references, OpenOptions options) throws IOException {
        return Qcow2Image.open(storage, references, options);
    }
}
