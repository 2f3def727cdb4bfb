package dev.platter.nbd.server;

import dev.platter.core.BlockDevice;
import java.io.IOException;

/** Opens the device of an export when the first client that may have it asks for it. */
@FunctionalInterface
public interface DeviceOpener {

    /**
     * Opens the device. The server closes it after its last client.
     *
     * @throws IOException if it cannot be opened: the client is told so, and the next one tries again
     */
    BlockDevice open() throws IOException;
}
