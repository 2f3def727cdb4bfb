/** The command {@code platter}. Nothing here is meant to be called by other programs. */
module dev.platter.cli {
    requires dev.platter.inspect;
    requires dev.platter.linux;
    requires dev.platter.nbd.client;
    requires dev.platter.nbd.server;
    requires dev.platter.partition;
    requires dev.platter.qcow2;
    requires com.fasterxml.jackson.core;
    requires info.picocli;
    requires me.tongfei.progressbar;

    exports dev.platter.cli;
}
