/** The NBD wire: messages as values and codecs over buffers. Knows no socket; client and server stand on it. */
module dev.platter.nbd.protocol {
    requires transitive dev.platter.core;
    requires com.google.common;
    requires static org.bouncycastle.tls;

    exports dev.platter.nbd.protocol;
    exports dev.platter.nbd.tls;
}
