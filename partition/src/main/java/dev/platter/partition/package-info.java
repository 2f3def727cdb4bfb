/**
 * Reads the partition tables of disks. Start at {@link dev.platter.partition.PartitionTables}, which gives a {@link
 * dev.platter.partition.PartitionTable} of {@link dev.platter.partition.Partition}s.
 */
@NullMarked
package dev.platter.partition;

import org.jspecify.annotations.NullMarked;
