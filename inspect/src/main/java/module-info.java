/** The front door: a disk image with everything inside it. */
module dev.platter.inspect {
    requires transitive dev.platter.core;
    requires transitive dev.platter.partition;
    requires transitive dev.platter.lvm;
    requires transitive dev.platter.filesystem;
    requires dev.platter.qcow2;
    requires com.google.common;
    requires com.fasterxml.jackson.core;

    exports dev.platter.inspect;
}
