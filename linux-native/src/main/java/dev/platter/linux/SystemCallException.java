package dev.platter.linux;

import dev.platter.core.BlockIOException;

/** A system call failed. */
final class SystemCallException extends BlockIOException {
    private static final long serialVersionUID = 1;

    private final int errno;

    /**
     * @param what what was tried, on what: {@code "/dev/loop3: LOOP_CONFIGURE"}
     * @param errno the number that the C library left
     */
    SystemCallException(String what, int errno) {
        super(Errno.kind(errno), what + ": " + Errno.text(errno), null);
        this.errno = errno;
    }

    int errno() {
        return errno;
    }
}
