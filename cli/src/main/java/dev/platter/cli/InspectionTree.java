package dev.platter.cli;

import dev.platter.core.DiskImage;
import dev.platter.core.Printable;
import dev.platter.filesystem.FileSystem;
import dev.platter.inspect.Disk;
import dev.platter.inspect.ImageInspector;
import dev.platter.inspect.Volume;
import dev.platter.lvm.LogicalVolume;
import dev.platter.lvm.VolumeGroup;
import dev.platter.partition.Partition;
import java.io.IOException;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/** The findings as a tree with columns, as {@code lsblk -f} prints them. */
final class InspectionTree {
    private static final String[] TITLES = {"NAME", "TYPE", "SIZE", "USED", "FREE", "LABEL", "UUID"};
    private static final int FIRST_NUMBER = 2;
    private static final int LAST_NUMBER = 4;

    private final ImageInspector inspector;
    private final Map<String, Volume> volumes = new HashMap<>();
    private final List<Row> rows = new ArrayList<>();

    /** @param note what follows the columns, or empty */
    private record Row(List<String> cells, String note) {
        Row(String note, String... cells) {
            this(List.of(cells), note);
        }
    }

    InspectionTree(ImageInspector inspector) {
        this.inspector = inspector;
        for (Volume volume : inspector.volumes()) {
            volumes.put(volume.name(), volume);
        }
    }

    void print(Stdio io) throws IOException {
        rows.add(new Row("", TITLES));
        inspector.disks().forEach(this::addDisk);
        inspector.volumeGroups().forEach(this::addGroup);
        int[] widths = new int[TITLES.length];
        for (Row row : rows) {
            for (int i = 0; i < widths.length; i++) {
                widths[i] = Math.max(widths[i], width(row.cells.get(i)));
            }
        }
        TextOutput out = new TextOutput(io.out());
        for (Row row : rows) {
            out.text(line(row, widths)).ascii("\n");
        }
        out.flush();
    }

    private static String line(Row row, int[] widths) {
        StringBuilder line = new StringBuilder();
        for (int i = 0; i < widths.length; i++) {
            String cell = row.cells.get(i);
            String blanks = " ".repeat(widths[i] - width(cell));
            boolean number = i >= FIRST_NUMBER && i <= LAST_NUMBER;
            line.append(number ? blanks + cell : cell + blanks).append("  ");
        }
        line.append(row.note);
        return line.toString().stripTrailing();
    }

    private static int width(String text) {
        return text.codePointCount(0, text.length());
    }

    private void addDisk(Disk disk) {
        DiskImage image = disk.image();
        String table = disk.table().type();
        Volume bare = table == null ? volumes.get(disk.name()) : null;
        String type = table == null ? contentType(bare, "disk") : table;
        String what = image == null
                ? disk.device().description()
                : name(image) + " (" + image.info().format() + ")";
        add("", disk.name(), type, disk.device().size(), bare, what);
        List<Partition> partitions = disk.table().partitions();
        for (int i = 0; i < partitions.size(); i++) {
            Partition partition = partitions.get(i);
            String name = disk.partitionName(partition.number());
            Volume volume = volumes.get(name);
            String branch = i == partitions.size() - 1 ? "└─" : "├─";
            add(branch, name, contentType(volume, partition.typeName()), partition.size(), volume, note(partition));
        }
    }

    private static String name(DiskImage image) {
        return Printable.escape(image.info().filename());
    }

    private static String note(Partition partition) {
        String name = partition.name();
        return name == null || name.isEmpty() ? "" : Printable.quote(name);
    }

    private void addGroup(VolumeGroup group) {
        String problem = group.problem();
        rows.add(new Row(
                problem == null ? "" : Printable.escape(problem),
                Printable.escape(group.name()),
                "LVM2 group",
                Sizes.human(group.size()),
                Sizes.human(Math.max(0, group.size() - group.free())),
                Sizes.human(group.free()),
                "",
                Printable.escape(group.uuid())));
        List<LogicalVolume> shown = new ArrayList<>();
        for (LogicalVolume volume : group.logicalVolumes()) {
            if (volume.isVisible()) {
                shown.add(volume);
            }
        }
        for (int i = 0; i < shown.size(); i++) {
            LogicalVolume logical = shown.get(i);
            String name = inspector.deviceName(group, logical);
            Volume volume = volumes.get(name);
            String problemHere = logical.problem();
            add(
                    i == shown.size() - 1 ? "└─" : "├─",
                    name,
                    contentType(volume, String.join(",", logical.segmentTypes())),
                    logical.size(),
                    volume,
                    problemHere == null ? "" : problemHere);
        }
    }

    private static String contentType(@Nullable Volume volume, @Nullable String otherwise) {
        String type = volume == null
                ? null
                : volume.fileSystem().map(FileSystem::type).orElse(null);
        if (type == null && volume != null && !volume.content().ambiguous().isEmpty()) {
            return "ambiguous";
        }
        return type != null ? type : otherwise != null ? otherwise : "unknown";
    }

    private void add(String branch, String name, String type, long size, @Nullable Volume volume, String note) {
        FileSystem content = volume == null ? null : volume.fileSystem().orElse(null);
        rows.add(new Row(
                Printable.escape(note),
                branch + Printable.escape(name),
                Printable.escape(type),
                Sizes.human(size),
                size(content == null ? null : content.used()),
                size(content == null ? null : content.free()),
                text(content == null ? null : content.label()),
                text(content == null ? null : content.uuid())));
    }

    private static String size(@Nullable Long bytes) {
        return bytes == null ? "" : Sizes.human(bytes);
    }

    private static String text(@Nullable String text) {
        return text == null ? "" : Printable.escape(text);
    }
}
