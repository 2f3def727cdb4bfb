package dev.platter.core;

import org.jspecify.annotations.Nullable;

/** The image names another file or address that the caller did not allow to be opened; see {@link ReferencePolicy}. */
public class ReferenceRefusedException extends DiskImageException {
    private static final long serialVersionUID = 1;

    /** Makes an exception with a message for a person. */
    public ReferenceRefusedException(String message) {
        super(message);
    }

    /** Makes an exception with a message and what caused it. */
    public ReferenceRefusedException(String message, @Nullable Throwable cause) {
        super(message, cause);
    }
}
