/** NBD exports of other hosts as devices. */
module dev.platter.nbd.client {
    requires transitive dev.platter.core;
    requires transitive dev.platter.nbd.protocol;
    requires com.google.common;

    exports dev.platter.nbd.client;

    provides dev.platter.core.StorageProvider with
            dev.platter.nbd.client.NbdStorageProvider;
}
