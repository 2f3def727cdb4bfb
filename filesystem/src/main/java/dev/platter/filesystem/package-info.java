/**
 * Says which file system, RAID, volume manager or encryption a block device holds, from superblocks alone. Start at
 * {@link dev.platter.filesystem.FileSystems}.
 */
@NullMarked
package dev.platter.filesystem;

import org.jspecify.annotations.NullMarked;
