package dev.platter.core;

import java.io.IOException;
import org.jspecify.annotations.Nullable;

/**
 * What the bytes of an image say cannot be followed. The message is one line for a person: what, in which file, at which
 * byte offset, what was expected and what to do. Control characters of the image are escaped.
 */
public class DiskImageException extends IOException {
    private static final long serialVersionUID = 1;

    /** Makes an exception with a message that begins with the {@linkplain BlockDevice#description() device}. */
    public DiskImageException(String message) {
        super(Printable.escape(message));
    }

    /** Makes an exception with a message and what caused it. */
    public DiskImageException(String message, @Nullable Throwable cause) {
        super(Printable.escape(message), cause);
    }
}
