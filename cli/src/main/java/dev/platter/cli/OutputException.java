package dev.platter.cli;

import java.io.IOException;

/** Standard output takes no more: the disk is full, or whoever read it has gone. */
final class OutputException extends IOException {
    private static final long serialVersionUID = 1;

    private final IOException failure;

    OutputException(IOException failure) {
        super(failure);
        this.failure = failure;
    }

    IOException failure() {
        return failure;
    }

    /** The JDK tells it apart only by the text of the operating system. */
    boolean isClosedPipe() {
        return String.valueOf(failure.getMessage()).contains("Broken pipe");
    }
}
