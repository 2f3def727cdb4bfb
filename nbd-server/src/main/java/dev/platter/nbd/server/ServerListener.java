package dev.platter.nbd.server;

/** Is told what happens in a server. Called on the threads of the connections: returns soon, throws nothing. */
public interface ServerListener {
    /** Does nothing. */
    ServerListener NONE = new ServerListener() {};

    /** A connection was accepted. */
    default void connected(ClientInfo client) {}

    /** A client chose its export and will send requests. */
    default void negotiated(ClientInfo client) {}

    /**
     * A connection ended.
     *
     * @param why in one line; empty if the client said goodbye
     */
    default void disconnected(ClientInfo client, String why) {}

    /** A request failed with an error of the device; the client was told. */
    default void requestFailed(ClientInfo client, String request, Exception failure) {}

    /** A listening socket can accept no more: the process is out of descriptors, or the socket is gone. */
    default void acceptFailed(String address, Exception failure) {}
}
