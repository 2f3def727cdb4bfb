package dev.platter.filesystem;

import dev.platter.core.BlockDevice;
import dev.platter.core.Limits;
import java.io.IOException;
import java.util.ArrayList;
import java.util.List;

/**
 * Recognises what a volume holds, by superblocks alone: no file or directory is read, apart from the root directory
 * where FAT and exFAT keep their label.
 *
 * <p>The answer follows {@code blkid -p} of util-linux: the same types, in the same order of probing, and the same
 * verdict where several signatures are found (libblkid, superblocks.c). Like current versions, and unlike 2.38, it does
 * not recognise superblocks with a wrong checksum. A signature is taken for what it says even if the volume lies in the
 * middle of something else: whoever looks at a whole disk with partitions should know that RAID superblocks at its end
 * may be those of its last partition.
 *
 * <p>One recognition reads the first 68 KiB once, a few sectors further on and at the end, and, for the numbers of
 * {@link FileSystem#usage}, allocation data of at most {@link Limits#metadataBytes}.
 */
public final class FileSystems {
    /** libblkid looks for nothing in volumes of at most this size. */
    private static final long NOTHING_BYTES = 1024;
    /** Up to the size of a floppy the first signature wins and arrays are not looked for, as in libblkid. */
    private static final long TINY_BYTES = 1440 << 10;

    /** The order of libblkid, superblocks.c, {@code idinfos}. */
    private static final List<Probe> PROBES = List.of(
            new MdProbe(),
            new Lvm2Probe(),
            new LuksProbe(),
            new VmfsVolumeProbe(),
            new BitLockerProbe(),
            new FatProbe(),
            new SwapProbe(),
            new XfsProbe(),
            new ExtProbe(),
            new UdfProbe(),
            new IsoProbe(),
            new ZfsProbe(),
            new NtfsProbe(),
            new SquashfsProbe(),
            new BtrfsProbe(),
            new VmfsProbe(),
            new ExfatProbe(),
            new F2fsProbe());

    private FileSystems() {}

    /**
     * Says what a volume holds. Safe for use by many threads. Ranges that cannot be read are warnings and hide only
     * what lies in them.
     *
     * @param volume a partition, a logical volume, or a disk without a partition table
     * @throws java.nio.channels.ClosedChannelException if the volume is closed or the thread is interrupted
     */
    public static Recognition recognise(BlockDevice volume, Limits limits) throws IOException {
        if (volume.size() <= NOTHING_BYTES) {
            return new Recognition(List.of(), List.of(), List.of());
        }
        try (Volume bytes = Volume.open(volume, limits)) {
            return recognise(bytes);
        }
    }

    private static Recognition recognise(Volume volume) throws IOException {
        List<FileSystem> found = new ArrayList<>();
        boolean intolerant = false;
        boolean tiny = volume.size() <= TINY_BYTES;
        for (Probe probe : PROBES) {
            Probe.Family family = probe.family();
            if (volume.size() < probe.minimumSize() || (tiny && family == Probe.Family.RAID)) {
                continue;
            }
            FileSystem one = probe.probe(volume);
            if (one == null) {
                continue;
            }
            found.add(one);
            intolerant |= family == Probe.Family.FILE_SYSTEM;
            if (tiny || family == Probe.Family.RAID || family == Probe.Family.CRYPTO) {
                break;
            }
        }
        return verdict(found, intolerant, volume);
    }

    private static Recognition verdict(List<FileSystem> found, boolean intolerant, Volume volume) {
        if (found.size() < 2) {
            return new Recognition(found, List.of(), volume.warnings());
        }
        if (!intolerant) {
            return new Recognition(found.subList(0, 1), List.of(), volume.warnings());
        }
        List<Signature> ambiguous = found.stream()
                .map(one -> new Signature(one.type(), one.signatureOffset()))
                .toList();
        return new Recognition(List.of(), ambiguous, volume.warnings());
    }
}
