package dev.platter.inspect;

import com.fasterxml.jackson.core.JsonGenerator;
import dev.platter.core.DiskImage;
import dev.platter.core.ImageInfo;
import dev.platter.core.SnapshotInfo;
import java.io.IOException;
import java.io.OutputStream;
import java.util.ArrayList;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * What an image says of itself, printable with the keys of {@code qemu-img info --output=json}.
 *
 * @param info what it says
 * @param snapshots its internal snapshots
 */
public record ImageReport(ImageInfo info, List<SnapshotInfo> snapshots) {

    /** Copies the list. */
    public ImageReport {
        snapshots = List.copyOf(snapshots);
    }

    /** Returns the report of an image. */
    public static ImageReport of(DiskImage image) {
        return new ImageReport(image.info(), image.snapshots());
    }

    /** Returns the reports of an image and those below it, top first, as far as they could be opened. */
    public static List<ImageReport> chainOf(DiskImage image) {
        List<ImageReport> chain = new ArrayList<>();
        for (@Nullable DiskImage layer = image; layer != null; layer = layer.backing()) {
            chain.add(of(layer));
        }
        return List.copyOf(chain);
    }

    /** Returns the report as JSON. */
    public String toJson() {
        return JsonText.toString(this::write);
    }

    /** Writes the report as JSON, in UTF-8. */
    public void writeJson(OutputStream to) throws IOException {
        JsonText.write(to, this::write);
    }

    /** Writes several reports as a JSON array, in UTF-8. */
    public static void writeJson(List<ImageReport> reports, OutputStream to) throws IOException {
        JsonText.write(to, json -> {
            json.writeStartArray();
            for (ImageReport report : reports) {
                report.write(json);
            }
            json.writeEndArray();
        });
    }

    void write(JsonGenerator json) throws IOException {
        json.writeStartObject();
        json.writeStringField("filename", info.filename());
        json.writeStringField("format", info.format());
        json.writeNumberField("virtual-size", info.virtualSize());
        JsonText.number(json, "actual-size", info.actualSize());
        if (info.clusterSize() != null) {
            json.writeNumberField("cluster-size", info.clusterSize());
        }
        if (info.encrypted()) {
            json.writeBooleanField("encrypted", true);
        }
        json.writeBooleanField("dirty-flag", info.dirty());
        if (info.backingFilename() != null) {
            json.writeStringField("backing-filename", info.backingFilename());
            json.writeStringField("full-backing-filename", info.fullBackingFilename());
        }
        if (info.backingFormat() != null) {
            json.writeStringField("backing-filename-format", info.backingFormat());
        }
        if (!snapshots.isEmpty()) {
            writeSnapshots(json);
        }
        if (!info.formatSpecific().isEmpty()) {
            json.writeObjectFieldStart("format-specific");
            json.writeStringField("type", info.format());
            json.writeFieldName("data");
            JsonText.plain(json, info.formatSpecific());
            json.writeEndObject();
        }
        json.writeEndObject();
    }

    private void writeSnapshots(JsonGenerator json) throws IOException {
        json.writeArrayFieldStart("snapshots");
        for (SnapshotInfo snapshot : snapshots) {
            json.writeStartObject();
            json.writeStringField("id", snapshot.id());
            json.writeStringField("name", snapshot.name());
            json.writeNumberField("vm-state-size", snapshot.vmStateSize());
            json.writeNumberField("date-sec", snapshot.dateSeconds());
            json.writeNumberField("date-nsec", snapshot.dateNanos());
            json.writeNumberField("vm-clock-sec", Long.divideUnsigned(snapshot.vmClockNanos(), 1_000_000_000L));
            json.writeNumberField("vm-clock-nsec", Long.remainderUnsigned(snapshot.vmClockNanos(), 1_000_000_000L));
            if (snapshot.instructionCount() >= 0) {
                json.writeNumberField("icount", snapshot.instructionCount());
            }
            json.writeNumberField("disk-size", snapshot.diskSize());
            json.writeEndObject();
        }
        json.writeEndArray();
    }
}
