package dev.platter.linux;

import dev.platter.core.BlockDevice;
import dev.platter.core.BlockIOException;
import dev.platter.core.BlockIOException.Kind;
import dev.platter.core.LimitExceededException;
import dev.platter.core.UnsupportedFeatureException;
import java.io.IOException;
import java.util.List;
import java.util.function.Consumer;
import org.jspecify.annotations.Nullable;

/** The disk of a binding, for the devices of device-mapper that are made of pieces of its device. */
final class MappedDisk {
    private final DeviceTables.BoundDisk disk;
    private final BindingJournal journal;
    private final Consumer<String> notes;

    /** Null until somebody needs to know: finding out may load a module. */
    private @Nullable Boolean hasDriver;

    private boolean isUsed;

    /** @param notes told why a table was refused that should have been none to refuse */
    MappedDisk(DeviceTables.BoundDisk disk, BindingJournal journal, Consumer<String> notes) {
        this.disk = disk;
        this.journal = journal;
        this.notes = notes;
    }

    /** Returns whether a device was made. Then device-mapper has the disk's device for itself, partitions included. */
    boolean isUsed() {
        return isUsed;
    }

    /**
     * Makes a device for a volume.
     *
     * @param name in the catalog
     * @return null where there is no device-mapper, or the volume is not made of pieces of the disk
     * @throws BlockIOException of kind {@code BUSY} if there is a device of that name
     */
    @Nullable
    MappedAttachment map(BlockDevice volume, String name, boolean readOnly) throws IOException {
        DeviceTable table;
        try {
            table = DeviceTables.of(volume, List.of(disk));
        } catch (UnsupportedFeatureException | LimitExceededException e) {
            return null;
        }
        if ((!readOnly && losesWrites(table)) || !hasDriver()) {
            return null;
        }
        try {
            return make(MappedNames.ofVolume(journal.tag(), name), table, readOnly);
        } catch (BlockIOException e) {
            if (e.kind() == Kind.BUSY) {
                throw e;
            }
            notes.accept(name + ": is a device of its own, and none of device-mapper: " + e.getMessage());
            return null;
        }
    }

    /** Makes a device for a partition, whose place is counted from the beginning of the disk's device. */
    MappedAttachment map(DevicePartitions.Range range, boolean readOnly) throws IOException {
        String numbers = String.valueOf(SysBlock.numbers(SysBlock.of(disk.node())));
        DeviceTable table = new DeviceTable(List.of(DeviceTable.Target.linear(
                0, range.length() / DeviceTable.SECTOR, numbers, range.start() / DeviceTable.SECTOR)));
        return make(MappedNames.ofPartition(journal.tag(), range.number()), table, readOnly);
    }

    private MappedAttachment make(String name, DeviceTable table, boolean readOnly) throws IOException {
        MappedAttachment made = MappedAttachment.of(name, table, readOnly, journal);
        isUsed = true;
        return made;
    }

    /** The kernel forgets without a word what is written to zeros. */
    private static boolean losesWrites(DeviceTable table) {
        return table.targets().stream().anyMatch(target -> target.type().equals("zero"));
    }

    private boolean hasDriver() throws IOException {
        if (hasDriver == null) {
            try {
                DeviceMapper.requireDriver();
                hasDriver = true;
            } catch (BlockIOException e) {
                hasDriver = false;
            }
        }
        return hasDriver;
    }
}
