package dev.platter.lvm;

import dev.platter.core.BlockDevice;

/**
 * A device that may be a physical volume.
 *
 * @param deviceName its name in what is reported: {@code /dev/sda2}
 * @param device its bytes; a scan reads them, opened volumes read and write them, nothing closes it
 */
public record PhysicalVolumeCandidate(String deviceName, BlockDevice device) {}
