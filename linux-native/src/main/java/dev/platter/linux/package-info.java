/**
 * Devices of the Linux kernel for the devices of Platter: loop, nbd, FUSE and device-mapper. Start at {@link
 * dev.platter.linux.LinuxBindings}.
 */
@NullMarked
package dev.platter.linux;

import org.jspecify.annotations.NullMarked;
