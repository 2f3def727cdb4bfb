package dev.platter.linux;

import java.io.Closeable;
import java.io.IOException;
import java.nio.file.Path;

/**
 * A device that has become one of the kernel's, in one of the ways of {@link BindOptions.Via}. Closing it takes the kernel's
 * device away, or says who uses it and changes nothing.
 */
interface Attachment extends Closeable {

    /** Returns the node. */
    Path device();

    /** Returns whether the kernel still has it: another process may have taken it away. */
    boolean isThere();

    /** Returns whether this process answers for it. */
    boolean isServed();

    /** Leaves a device with autoclear to those who use it. */
    void leave();

    @Override
    void close() throws IOException;
}
