/** Devices of the Linux kernel for the devices of Platter: loop, nbd, FUSE and device-mapper. */
@NullMarked
package dev.platter.linux;

import org.jspecify.annotations.NullMarked;
