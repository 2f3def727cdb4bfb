/**
 * The qcow2 disk image format (qemu: docs/interop/qcow2.rst). Start at {@link dev.platter.qcow2.Qcow2Format}, which opens
 * a {@code Qcow2Image}; what the file says of itself is in {@code Qcow2Header}.
 */
@NullMarked
package dev.platter.qcow2;

import org.jspecify.annotations.NullMarked;
