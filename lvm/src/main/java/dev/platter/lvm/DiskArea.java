package dev.platter.lvm;

/**
 * A place on a physical volume as its label gives it, unchecked.
 *
 * @param offset bytes from the start of the physical volume; less than 0 stands for 2^63 or more
 * @param size bytes; 0 in a data area means "to the end of the device"
 */
record DiskArea(long offset, long size) {}
