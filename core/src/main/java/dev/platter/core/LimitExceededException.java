package dev.platter.core;

import org.jspecify.annotations.Nullable;

/** The image asks for more work, memory or nesting than {@link Limits} allow; the message names the limit. */
public class LimitExceededException extends DiskImageException {
    private static final long serialVersionUID = 1;

    /** Makes an exception with a message for a person. */
    public LimitExceededException(String message) {
        super(message);
    }

    /** Makes an exception with a message and what caused it. */
    public LimitExceededException(String message, @Nullable Throwable cause) {
        super(message, cause);
    }
}
