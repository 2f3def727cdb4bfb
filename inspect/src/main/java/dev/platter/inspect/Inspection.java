package dev.platter.inspect;

import dev.platter.core.BlockDevice;
import dev.platter.core.BlockIOException;
import dev.platter.core.CorruptImageException;
import dev.platter.core.DiskImage;
import dev.platter.core.DiskImageException;
import dev.platter.core.LimitExceededException;
import dev.platter.core.OpenOptions;
import dev.platter.filesystem.FileSystems;
import dev.platter.filesystem.Recognition;
import dev.platter.lvm.LogicalVolume;
import dev.platter.lvm.Lvm;
import dev.platter.lvm.LvmScan;
import dev.platter.lvm.PhysicalVolumeCandidate;
import dev.platter.lvm.VolumeGroup;
import dev.platter.partition.Partition;
import dev.platter.partition.PartitionTable;
import dev.platter.partition.PartitionTables;
import java.io.IOException;
import java.util.ArrayList;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * All that was found, and the finding of it: tables first, then volume groups over all disks, then contents. Immutable.
 */
record Inspection(
        List<Disk> disks,
        LvmScan lvm,
        VolumeNames names,
        List<Volume> volumes,
        List<String> warnings,
        List<String> problems) {
    private static final Recognition NOTHING = new Recognition(List.of(), List.of(), List.of());

    /** A device to look into, and the image that it comes from. */
    record Source(BlockDevice device, @Nullable DiskImage image) {}

    static Inspection of(List<Source> sources, OpenOptions options, Findings findings) throws IOException {
        return new Search(options, findings).run(sources);
    }

    private static final class Search {
        private final OpenOptions options;
        private final Findings findings;
        private final List<Disk> disks = new ArrayList<>();
        private final List<Volume> volumes = new ArrayList<>();
        private final List<PhysicalVolumeCandidate> candidates = new ArrayList<>();

        Search(OpenOptions options, Findings findings) {
            this.options = options;
            this.findings = findings;
        }

        Inspection run(List<Source> sources) throws IOException {
            for (Source source : sources) {
                addDisk(source);
            }
            // bare disks first, then partitions, as libguestfs lists them
            for (Disk disk : disks) {
                if (disk.table().type() == null) {
                    addBareDisk(disk);
                }
            }
            for (Disk disk : disks) {
                for (Partition partition : disk.table().partitions()) {
                    addPartition(disk, partition);
                }
            }
            LvmScan lvm = Lvm.scan(candidates, options.limits());
            lvm.problems().forEach(findings::problem);
            lvm.warnings().forEach(findings::warn);
            VolumeNames names = new VolumeNames(lvm.volumeGroups());
            for (VolumeGroup group : lvm.volumeGroups()) {
                for (LogicalVolume volume : group.logicalVolumes()) {
                    addLogicalVolume(names.nameOf(group, volume), group, volume);
                }
            }
            return new Inspection(
                    List.copyOf(disks), lvm, names, List.copyOf(volumes), findings.warnings(), findings.problems());
        }

        private void addDisk(Source source) throws IOException {
            String name = Disk.nameOf(disks.size());
            DiskImage image = source.image();
            BlockDevice device = source.device();
            if (image != null) {
                image.warnings().forEach(findings::warn);
                image.problems().forEach(problem -> findings.missing(String.valueOf(problem.getMessage())));
            }
            disks.add(new Disk(name, device, image, readTable(device, image)));
        }

        private PartitionTable readTable(BlockDevice device, @Nullable DiskImage image) throws IOException {
            if (isEncrypted(image)) {
                return none();
            }
            try {
                PartitionTable table = PartitionTables.read(watched(device), options.sectorSize(), options.limits());
                boolean isEmptyDos =
                        "dos".equals(table.type()) && table.partitions().isEmpty();
                // a boot sector with code and the signature, but no partitions, in front of a file system is no table
                return isEmptyDos && isFileSystem(device)
                        ? new PartitionTable(null, null, table.sectorSize(), false, List.of(), table.warnings())
                        : table;
            } catch (DiskImageException | BlockIOException e) {
                findings.problem("partition table: " + e.getMessage());
                return none();
            }
        }

        private BlockDevice watched(BlockDevice device) {
            return new WatchedDevice(device, findings);
        }

        private PartitionTable none() {
            int sectorSize = options.sectorSize() == 0 ? 512 : options.sectorSize();
            return new PartitionTable(null, null, sectorSize, false, List.of(), List.of());
        }

        private boolean isFileSystem(BlockDevice device) throws IOException {
            return FileSystems.recognise(watched(device), options.limits())
                    .fileSystem()
                    .isPresent();
        }

        private static boolean isEncrypted(@Nullable DiskImage image) {
            return image != null && image.info().encrypted();
        }

        private void addBareDisk(Disk disk) throws IOException {
            if (isEncrypted(disk.image())) {
                return;
            }
            candidates.add(new PhysicalVolumeCandidate(disk.name(), disk.device()));
            volumes.add(new Volume(
                    disk.name(),
                    disk.device().size(),
                    Volume.Kind.DISK,
                    null,
                    null,
                    recognise(disk.name(), disk.device())));
        }

        private void addPartition(Disk disk, Partition partition) throws IOException {
            if (partition.role() == Partition.Role.EXTENDED) {
                return;
            }
            String name = disk.partitionName(partition.number());
            Recognition content = NOTHING;
            // one that lies beyond the end of the disk has no bytes; its table has said so
            if (partition.start() < disk.device().size() && partition.size() > 0) {
                BlockDevice device = partition.open(disk.device());
                candidates.add(new PhysicalVolumeCandidate(name, device));
                content = recognise(name, device);
            }
            volumes.add(new Volume(name, partition.size(), Volume.Kind.PARTITION, partition, null, content));
        }

        private void addLogicalVolume(String name, VolumeGroup group, LogicalVolume volume) throws IOException {
            Recognition content = NOTHING;
            // an exported group waits for another system: lvm does not activate it, and we do not look into it unasked
            if (volume.isReadable() && !group.exported()) {
                try (BlockDevice device = volume.open()) {
                    content = volume.segmentTypes().contains("error")
                            // made to fail: no damage
                            ? recogniseUnwatched(name, device)
                            : recognise(name, device);
                } catch (DiskImageException e) {
                    findings.problem(name + ": " + e.getMessage());
                }
            } else if (!volume.isReadable()) {
                noteDamage(volume);
            }
            if (volume.isVisible()) {
                volumes.add(new Volume(name, volume.size(), Volume.Kind.LOGICAL_VOLUME, null, volume, content));
            }
        }

        /** A volume that lacks a disk or is of a type to come says so itself; a damaged one is a problem of the image. */
        private void noteDamage(LogicalVolume volume) throws IOException {
            try (BlockDevice device = volume.open()) {
                findings.problem(device.description() + ": " + volume.problem());
            } catch (CorruptImageException | LimitExceededException e) {
                findings.problem(String.valueOf(e.getMessage()));
            } catch (DiskImageException e) {
                // told in the volume's own problem
                return;
            }
        }

        private Recognition recognise(String name, BlockDevice device) throws IOException {
            return recogniseUnwatched(name, watched(device));
        }

        private Recognition recogniseUnwatched(String name, BlockDevice device) throws IOException {
            try {
                Recognition recognition = FileSystems.recognise(device, options.limits());
                recognition.warnings().forEach(findings::warn);
                recognition.found().forEach(found -> found.warnings().forEach(findings::warn));
                return recognition;
            } catch (DiskImageException | BlockIOException e) {
                findings.problem(name + ": its contents cannot be read: " + e.getMessage());
                return NOTHING;
            }
        }
    }
}
