package dev.platter.cli;

import dev.platter.core.ImageInfo;
import dev.platter.core.Printable;
import dev.platter.core.SnapshotInfo;
import dev.platter.inspect.ImageReport;
import java.io.IOException;
import java.time.Instant;
import java.time.ZoneId;
import java.time.format.DateTimeFormatter;
import java.util.List;
import java.util.Locale;
import java.util.Map;

/** Reports as {@code qemu-img info} prints them for people. QEMU: block/qapi.c, bdrv_image_info_dump. */
final class InfoText {
    private static final DateTimeFormatter DATE =
            DateTimeFormatter.ofPattern("yyyy-MM-dd HH:mm:ss", Locale.ROOT).withZone(ZoneId.systemDefault());

    private final TextOutput out;

    InfoText(Stdio io) {
        this.out = new TextOutput(io.out());
    }

    void print(List<ImageReport> reports) throws IOException {
        String between = "";
        for (ImageReport report : reports) {
            out.ascii(between);
            print(report);
            between = "\n";
        }
        out.flush();
    }

    private void print(ImageReport report) throws IOException {
        ImageInfo info = report.info();
        field("image", info.filename());
        field("file format", info.format());
        field("virtual size", Sizes.qemu(info.virtualSize()) + " (" + info.virtualSize() + " bytes)");
        Long actualSize = info.actualSize();
        if (actualSize != null) {
            field("disk size", Sizes.qemu(actualSize));
        }
        if (info.encrypted()) {
            field("encrypted", "yes");
        }
        if (info.clusterSize() != null) {
            field("cluster_size", Long.toString(info.clusterSize()));
        }
        if (info.dirty()) {
            field("cleanly shut down", "no");
        }
        printBacking(info);
        printSnapshots(report.snapshots());
        if (!info.formatSpecific().isEmpty()) {
            out.ascii("Format specific information:\n");
            printMap(info.formatSpecific(), 1);
        }
    }

    private void printBacking(ImageInfo info) throws IOException {
        String stored = info.backingFilename();
        if (stored == null) {
            return;
        }
        String full = info.fullBackingFilename();
        field("backing file", stored.equals(full) ? stored : stored + " (actual path: " + full + ")");
        if (info.backingFormat() != null) {
            field("backing file format", info.backingFormat());
        }
    }

    /** Prints a table of snapshots; nothing if there are none. */
    void printSnapshots(List<SnapshotInfo> snapshots) throws IOException {
        if (snapshots.isEmpty()) {
            return;
        }
        out.ascii("Snapshot list:\n");
        out.ascii("ID        TAG               VM SIZE                DATE     VM CLOCK     ICOUNT\n");
        for (SnapshotInfo snapshot : snapshots) {
            out.text(String.format(
                    Locale.ROOT,
                    "%-9s %-16s %8s%20s%13s%11s\n",
                    Printable.escape(snapshot.id()),
                    Printable.escape(snapshot.name()),
                    Sizes.qemu(snapshot.vmStateSize()),
                    DATE.format(Instant.ofEpochSecond(snapshot.dateSeconds())),
                    clock(snapshot.vmClockNanos()),
                    snapshot.instructionCount() < 0 ? "" : Long.toString(snapshot.instructionCount())));
        }
        out.flush();
    }

    private static String clock(long nanos) {
        long millis = Long.divideUnsigned(nanos, 1_000_000);
        long seconds = millis / 1000;
        return String.format(
                Locale.ROOT, "%02d:%02d:%02d.%03d", seconds / 3600, seconds / 60 % 60, seconds % 60, millis % 1000);
    }

    private void field(String name, String value) throws IOException {
        out.ascii(name).ascii(": ").text(Printable.escape(value)).ascii("\n");
    }

    private void printMap(Map<?, ?> map, int depth) throws IOException {
        for (Map.Entry<?, ?> entry : map.entrySet()) {
            String key = String.valueOf(entry.getKey()).replace('-', ' ');
            printEntry(key, entry.getValue(), depth);
        }
    }

    private void printEntry(String key, Object value, int depth) throws IOException {
        out.ascii("    ".repeat(depth)).text(Printable.escape(key)).ascii(":");
        if (value instanceof Map<?, ?> map) {
            out.ascii("\n");
            printMap(map, depth + 1);
        } else if (value instanceof List<?> list) {
            out.ascii("\n");
            for (int i = 0; i < list.size(); i++) {
                printEntry("[" + i + "]", list.get(i), depth + 1);
            }
        } else {
            out.ascii(" ").text(Printable.escape(String.valueOf(value))).ascii("\n");
        }
    }
}
