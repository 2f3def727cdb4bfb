/** What only Linux can do: bind images to devices of the kernel, and tell what it knows of files. */
@SuppressWarnings("requires-automatic") // JNA has a stable automatic name
module dev.platter.linux {
    requires transitive dev.platter.core;
    requires transitive dev.platter.nbd.client;
    requires dev.platter.nbd.server;
    requires com.google.common;
    requires com.sun.jna;

    exports dev.platter.linux;

    opens dev.platter.linux to
            com.sun.jna;

    provides dev.platter.core.FileFacts with
            dev.platter.linux.LinuxFileFacts;
}
