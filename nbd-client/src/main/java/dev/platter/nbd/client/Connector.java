package dev.platter.nbd.client;

import java.io.IOException;

/** Makes connections to one export. Safe for many threads. */
interface Connector {

    /** Returns what begins every message. */
    String description();

    /** Connects and agrees with the server on the export. */
    Connection connect() throws IOException;

    /** Returns whether {@link #connect} can be called more than once. */
    boolean canConnectAgain();
}
