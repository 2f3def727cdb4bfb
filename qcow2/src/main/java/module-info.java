/** The qcow2 disk image format. */
@SuppressWarnings("module") // the name of the format ends in a digit
module dev.platter.qcow2 {
    requires transitive dev.platter.core;
    requires com.google.common;
    requires com.github.luben.zstd_jni;

    exports dev.platter.qcow2;

    provides dev.platter.core.DiskImageFormat with
            dev.platter.qcow2.Qcow2Format;
}
