package dev.platter.core;

import org.jspecify.annotations.Nullable;

/** The image is what it says, but uses something that cannot be read here; the message names it. */
public class UnsupportedFeatureException extends DiskImageException {
    private static final long serialVersionUID = 1;

    /** Makes an exception with a message for a person. */
    public UnsupportedFeatureException(String message) {
        super(message);
    }

    /** Makes an exception with a message and what caused it. */
    public UnsupportedFeatureException(String message, @Nullable Throwable cause) {
        super(message, cause);
    }
}
