/** Partition tables of disks: MBR with extended partitions, and GPT. */
module dev.platter.partition {
    requires transitive dev.platter.core;

    exports dev.platter.partition;
}
