package dev.platter.inspect;

import com.fasterxml.jackson.core.JsonGenerator;
import dev.platter.core.Warning;
import dev.platter.filesystem.FileSystem;
import dev.platter.filesystem.Signature;
import dev.platter.lvm.LogicalVolume;
import dev.platter.lvm.PhysicalVolume;
import dev.platter.lvm.VolumeGroup;
import dev.platter.partition.Partition;
import dev.platter.partition.PartitionTable;
import java.io.IOException;
import java.io.OutputStream;
import java.util.HashMap;
import java.util.Locale;
import java.util.Map;

/**
 * Everything that an inspection found, as a value. Its JSON is what {@code platter inspect --json} prints: sizes and
 * offsets in bytes, absent values null, empty lists {@code []}. Immutable; it lives on after the inspector is closed.
 */
public final class InspectionReport {
    private final Inspection inspection;
    private final Map<String, ImageReport> images;

    InspectionReport(Inspection inspection) {
        this.inspection = inspection;
        Map<String, ImageReport> reports = new HashMap<>();
        for (Disk disk : inspection.disks()) {
            if (disk.image() != null) {
                reports.put(disk.name(), ImageReport.of(disk.image()));
            }
        }
        this.images = Map.copyOf(reports);
    }

    /** Returns whether everything that the images name and contain could be opened and read. */
    public boolean isComplete() {
        return inspection.problems().isEmpty();
    }

    /** Returns the report as JSON. */
    public String toJson() {
        return JsonText.toString(this::write);
    }

    /** Writes the report as JSON, in UTF-8. */
    public void writeJson(OutputStream to) throws IOException {
        JsonText.write(to, this::write);
    }

    private void write(JsonGenerator json) throws IOException {
        json.writeStartObject();
        if (inspection.disks().size() == 1) {
            writeSingleDisk(json);
        } else {
            writeDisks(json);
        }
        json.writeArrayFieldStart("partitions");
        for (Disk disk : inspection.disks()) {
            for (Partition partition : disk.table().partitions()) {
                writePartition(json, disk, partition);
            }
        }
        json.writeEndArray();
        json.writeArrayFieldStart("physical-volumes");
        for (PhysicalVolume volume : inspection.lvm().physicalVolumes()) {
            writePhysicalVolume(json, volume);
        }
        json.writeEndArray();
        json.writeArrayFieldStart("volume-groups");
        for (VolumeGroup group : inspection.lvm().volumeGroups()) {
            writeVolumeGroup(json, group);
        }
        json.writeEndArray();
        writeContents(json);
        json.writeArrayFieldStart("warnings");
        for (String problem : inspection.problems()) {
            json.writeString(problem);
        }
        for (String warning : inspection.warnings()) {
            json.writeString(warning);
        }
        json.writeEndArray();
        json.writeEndObject();
    }

    private void writeSingleDisk(JsonGenerator json) throws IOException {
        Disk disk = inspection.disks().get(0);
        json.writeFieldName("image");
        writeImage(json, disk);
        json.writeObjectFieldStart("partition-table");
        writeTable(json, disk.table());
        json.writeEndObject();
    }

    private void writeDisks(JsonGenerator json) throws IOException {
        json.writeArrayFieldStart("images");
        for (Disk disk : inspection.disks()) {
            writeImage(json, disk);
        }
        json.writeEndArray();
        json.writeArrayFieldStart("partition-tables");
        for (Disk disk : inspection.disks()) {
            json.writeStartObject();
            json.writeStringField("disk", disk.name());
            writeTable(json, disk.table());
            json.writeEndObject();
        }
        json.writeEndArray();
    }

    private void writeImage(JsonGenerator json, Disk disk) throws IOException {
        ImageReport report = images.get(disk.name());
        if (report == null) {
            json.writeStartObject();
            json.writeStringField("filename", disk.device().description());
            json.writeNullField("format");
            json.writeNumberField("virtual-size", disk.device().size());
            json.writeNullField("actual-size");
            json.writeEndObject();
            return;
        }
        report.write(json);
    }

    private static void writeTable(JsonGenerator json, PartitionTable table) throws IOException {
        json.writeStringField("type", table.type());
        json.writeStringField("id", table.id());
        json.writeNumberField("sector-size", table.sectorSize());
        json.writeBooleanField("from-backup", table.fromBackup());
        json.writeArrayFieldStart("warnings");
        for (Warning warning : table.warnings()) {
            json.writeString(warning.text());
        }
        json.writeEndArray();
    }

    private static void writePartition(JsonGenerator json, Disk disk, Partition partition) throws IOException {
        json.writeStartObject();
        json.writeNumberField("number", partition.number());
        json.writeStringField("device", disk.partitionName(partition.number()));
        json.writeNumberField("start", partition.start());
        json.writeNumberField("size", partition.size());
        json.writeStringField("type", partition.type());
        json.writeStringField("type-name", partition.typeName());
        json.writeStringField("name", partition.name());
        json.writeStringField("uuid", partition.uuid());
        json.writeBooleanField("bootable", partition.bootable());
        Partition.Role role = partition.role();
        json.writeStringField("role", role == null ? null : role.name().toLowerCase(Locale.ROOT));
        json.writeStringField("attributes", partition.attributesText());
        json.writeEndObject();
    }

    private static void writePhysicalVolume(JsonGenerator json, PhysicalVolume volume) throws IOException {
        json.writeStartObject();
        json.writeStringField("uuid", volume.uuid());
        json.writeStringField("device", volume.deviceName());
        json.writeStringField("vg-name", volume.vgName());
        json.writeStringField("vg-uuid", volume.vgUuid());
        json.writeNumberField("size", volume.size());
        json.writeStringField("problem", volume.problem());
        json.writeEndObject();
    }

    private void writeVolumeGroup(JsonGenerator json, VolumeGroup group) throws IOException {
        json.writeStartObject();
        json.writeStringField("name", group.name());
        json.writeStringField("uuid", group.uuid());
        json.writeNumberField("seqno", group.seqno());
        json.writeNumberField("extent-size", group.extentSize());
        json.writeNumberField("size", group.size());
        json.writeNumberField("free", group.free());
        json.writeNumberField("missing-physical-volumes", group.missingPhysicalVolumes());
        json.writeStringField("problem", group.problem());
        json.writeArrayFieldStart("logical-volumes");
        for (LogicalVolume volume : group.logicalVolumes()) {
            json.writeStartObject();
            json.writeStringField("name", volume.name());
            json.writeStringField("uuid", volume.uuid());
            json.writeStringField("device", inspection.names().nameOf(group, volume));
            json.writeNumberField("size", volume.size());
            json.writeFieldName("segment-types");
            JsonText.plain(json, volume.segmentTypes());
            json.writeBooleanField("visible", volume.isVisible());
            json.writeBooleanField("readable", volume.isReadable());
            json.writeStringField("problem", volume.problem());
            json.writeEndObject();
        }
        json.writeEndArray();
        json.writeEndObject();
    }

    private void writeContents(JsonGenerator json) throws IOException {
        json.writeArrayFieldStart("filesystems");
        for (Volume volume : inspection.volumes()) {
            FileSystem content = volume.fileSystem().orElse(null);
            if (content != null && !content.type().equals(FileSystemList.PHYSICAL_VOLUME)) {
                writeFileSystem(json, volume, content);
            }
        }
        json.writeEndArray();
        json.writeArrayFieldStart("ambiguous");
        for (Volume volume : inspection.volumes()) {
            for (Signature signature : volume.content().ambiguous()) {
                json.writeStartObject();
                json.writeStringField("device", volume.name());
                json.writeStringField("type", signature.type());
                json.writeNumberField("offset", signature.offset());
                json.writeEndObject();
            }
        }
        json.writeEndArray();
    }

    private static void writeFileSystem(JsonGenerator json, Volume volume, FileSystem content) throws IOException {
        json.writeStartObject();
        json.writeStringField("device", volume.name());
        json.writeStringField("type", content.type());
        json.writeStringField("label", content.label());
        json.writeStringField("uuid", content.uuid());
        JsonText.number(json, "size", content.size());
        JsonText.number(json, "free", content.free());
        JsonText.number(json, "used", content.used());
        json.writeEndObject();
    }
}
