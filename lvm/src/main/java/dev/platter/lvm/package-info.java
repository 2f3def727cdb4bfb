/**
 * Finds LVM2 volume groups on devices and opens their logical volumes. Start at {@link dev.platter.lvm.Lvm} and {@link
 * dev.platter.lvm.LvmScan}.
 */
@NullMarked
package dev.platter.lvm;

import org.jspecify.annotations.NullMarked;
