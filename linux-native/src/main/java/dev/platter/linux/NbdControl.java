package dev.platter.linux;

import java.io.IOException;
import java.util.List;

/** The way to the kernel for one nbd device that was connected. */
interface NbdControl {
    /** Returns the number of the device. */
    int index();

    /** Returns whether the device is still the one that was connected. */
    boolean isConnected() throws IOException;

    /** Gives it other sockets in place of those that are dead. */
    void reconnect(List<Descriptor> sockets) throws IOException;

    /** Ends it; requests that wait fail. It may be gone a moment later only. */
    void disconnect() throws IOException;
}
