/** Serves devices over NBD: sockets, handshake, exports, limits. */
module dev.platter.nbd.server {
    requires transitive dev.platter.nbd.protocol;
    requires com.google.common;
    requires jdk.jfr;

    exports dev.platter.nbd.server;
}
