/**
 * Opens disk images and shows everything inside: partitions, LVM2 volumes, file systems. Start at {@link
 * dev.platter.inspect.ImageInspector}.
 */
@NullMarked
package dev.platter.inspect;

import org.jspecify.annotations.NullMarked;
