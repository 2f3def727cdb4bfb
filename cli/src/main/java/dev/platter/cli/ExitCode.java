package dev.platter.cli;

/** The exit codes of the commands, and of {@code qemu-img check}. */
final class ExitCode {
    /** Everything asked for was done or shown. */
    static final int WHOLE = 0;

    /** It could not be done. */
    static final int ERROR = 1;

    /** The command line makes no sense. */
    static final int USAGE = 2;

    /** Shown, but something that the image names or contains could not be opened or read. */
    static final int PARTIAL = 3;

    /** {@code check}: the image contradicts itself. */
    static final int CORRUPT = 2;

    /** {@code check}: clusters are counted as used and are not. */
    static final int LEAKS = 3;

    /** {@code check}: this format has no checks. */
    static final int NOT_CHECKABLE = 63;

    private ExitCode() {}
}
