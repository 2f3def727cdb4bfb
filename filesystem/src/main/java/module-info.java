/** Recognises file systems and other contents of a block device by their superblocks. */
module dev.platter.filesystem {
    requires transitive dev.platter.core;

    exports dev.platter.filesystem;
}
