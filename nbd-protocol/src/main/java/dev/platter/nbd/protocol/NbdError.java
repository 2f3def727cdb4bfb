package dev.platter.nbd.protocol;

import dev.platter.core.BlockIOException;
import dev.platter.core.BlockIOException.Kind;
import dev.platter.core.NotFasterException;
import dev.platter.core.ReadOnlyDeviceException;

/** The error numbers of replies; section "Error values". */
public enum NbdError {
    EPERM(1, "operation not permitted"),
    EIO(5, "input/output error"),
    ENOMEM(12, "out of memory"),
    EINVAL(22, "invalid argument"),
    ENOSPC(28, "no space left"),
    EOVERFLOW(75, "value too large"),
    ENOTSUP(95, "operation not supported"),
    ESHUTDOWN(108, "the server is shutting down");

    private final int number;
    private final String text;

    NbdError(int number, String text) {
        this.number = number;
        this.text = text;
    }

    /** Returns the number on the wire. */
    public int number() {
        return number;
    }

    /** Returns what it means, in words for a person. */
    public String text() {
        return text;
    }

    /** Returns the error of a number; {@link #EINVAL} for any that the protocol does not know, as it demands. */
    public static NbdError of(int number) {
        for (NbdError error : values()) {
            if (error.number == number) {
                return error;
            }
        }
        return EINVAL;
    }

    /** Returns what a server answers where its device threw this. */
    public static NbdError of(Throwable failure) {
        if (failure instanceof ReadOnlyDeviceException) {
            return EPERM;
        }
        if (failure instanceof NotFasterException) {
            return ENOTSUP;
        }
        if (failure instanceof IndexOutOfBoundsException || failure instanceof IllegalArgumentException) {
            return EINVAL;
        }
        if (failure instanceof OutOfMemoryError) {
            return ENOMEM;
        }
        if (failure instanceof BlockIOException blockFailure) {
            return switch (blockFailure.kind()) {
                case NO_SPACE -> ENOSPC;
                case SHUTDOWN -> ESHUTDOWN;
                // ENOTSUP is for FAST_ZERO alone, so what cannot be done is invalid.
                case NOT_SUPPORTED -> EINVAL;
                default -> EIO;
            };
        }
        return EIO;
    }

    /**
     * Returns what a client throws where a server answered with this error.
     *
     * @param message what was asked, of whom, and what the server said
     */
    public BlockIOException toException(String message) {
        Kind kind = switch (this) {
            case ENOSPC -> Kind.NO_SPACE;
            case ENOTSUP -> Kind.NOT_SUPPORTED;
            case ESHUTDOWN -> Kind.SHUTDOWN;
            default -> Kind.IO;
        };
        return new BlockIOException(kind, message, null);
    }
}
