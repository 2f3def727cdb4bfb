/** LVM2: labels, metadata, volume groups, and logical volumes as devices. */
module dev.platter.lvm {
    requires transitive dev.platter.core;
    requires com.google.common;

    exports dev.platter.lvm;
}
