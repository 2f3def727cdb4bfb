package dev.platter.linux;

import java.io.Closeable;
import java.io.IOException;

/** Who answers the requests of an nbd device. */
interface NbdPeer extends Closeable {
    /** Returns who that is, for messages. */
    String name();

    /** Returns the disk that it serves. */
    NbdGeometry geometry();

    /** Returns a socket to it on which the next byte is that of a request, and replies are simple. The caller closes it. */
    Descriptor connect() throws IOException;

    /** Ends it, and makes durable what was written. */
    @Override
    void close() throws IOException;
}
