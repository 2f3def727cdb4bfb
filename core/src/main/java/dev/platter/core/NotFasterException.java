package dev.platter.core;

import java.io.IOException;

/** Zeroes were asked for only if that is faster than writing them, and it is not. No byte was touched. */
public class NotFasterException extends IOException {
    private static final long serialVersionUID = 1;

    /** Makes the exception for the device of that description. */
    public NotFasterException(String description) {
        super(description + ": zeroing is no faster than writing zeros here");
    }
}
