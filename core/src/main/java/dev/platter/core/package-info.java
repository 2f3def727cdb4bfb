/**
 * Everything that has bytes, and how it is opened. Start at {@link dev.platter.core.BlockDevice} and {@link
 * dev.platter.core.DiskImages}.
 */
@NullMarked
package dev.platter.core;

import org.jspecify.annotations.NullMarked;
