package dev.platter.core;

import org.jspecify.annotations.Nullable;

/** The image contradicts its own format: damaged, cut off, or made to mislead. */
public class CorruptImageException extends DiskImageException {
    private static final long serialVersionUID = 1;

    /** Makes an exception with a message for a person. */
    public CorruptImageException(String message) {
        super(message);
    }

    /** Makes an exception with a message and what caused it. */
    public CorruptImageException(String message, @Nullable Throwable cause) {
        super(message, cause);
    }
}
