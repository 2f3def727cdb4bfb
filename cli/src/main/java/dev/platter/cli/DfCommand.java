package dev.platter.cli;

import dev.platter.core.Printable;
import dev.platter.filesystem.DiskUsage;
import dev.platter.filesystem.FileSystem;
import dev.platter.inspect.ImageInspector;
import dev.platter.inspect.Volume;
import java.io.IOException;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Model.CommandSpec;

/** {@code platter df}: what {@code virt-df} prints. libguestfs: df/output.c. */
final class DfCommand implements Command {
    private static final int NAME_WIDTH = 36;

    @Override
    public void describe(CommandSpec spec) {
        Model.flag(spec, "sizes for people: 4.9G", "-h", "--human-readable");
        Model.flag(spec, "comma-separated values", "--csv");
        ReadingOptions.add(spec);
        Model.parameters(spec, "IMAGE", "1..*", "the disks of one guest, in order");
        Model.helpOption(spec, "--help");
        Model.help(
                spec,
                "Shows how full the file systems are, as virt-df does, from their superblocks; \"-\" where only a"
                        + " reader of the files could know.",
                Inspections.exitCodes(),
                List.of("platter df -h guest.qcow2"));
    }

    @Override
    public int run(Arguments arguments, Stdio io) throws IOException {
        boolean human = arguments.has("-h");
        boolean csv = arguments.has("--csv");
        if (human && csv) {
            throw new UsageException("-h and --csv exclude each other");
        }
        try (ImageInspector inspector = Inspections.open(arguments)) {
            TextOutput out = new TextOutput(io.out());
            String blocks = human ? "Size" : "1K-blocks";
            out.ascii(
                    csv
                            ? "VirtualMachine,Filesystem,1K-blocks,Used,Available,Use%\n"
                            : String.format(
                                    Locale.ROOT,
                                    "%-36s%10s %10s %10s %5s\n",
                                    "Filesystem",
                                    blocks,
                                    "Used",
                                    "Available",
                                    "Use%"));
            String guest = guest(arguments.images());
            Map<String, String> listed = inspector.listFileSystems();
            for (Volume volume : inspector.volumes()) {
                FileSystem content = volume.fileSystem().orElse(null);
                if (content != null
                        && listed.containsKey(volume.name())
                        && !content.type().equals("swap")) {
                    out.text(
                            csv
                                    ? csvLine(guest, volume.name(), content.usage())
                                    : line(guest + ":" + Printable.escape(volume.name()), content.usage(), human));
                }
            }
            out.flush();
            return Inspections.finish(inspector, arguments, io, true);
        }
    }

    private static String guest(List<ImageName> images) {
        String first = Printable.escape(images.get(0).shortName());
        return images.size() == 1 ? first : first + "+";
    }

    static String line(String name, @Nullable DiskUsage usage, boolean human) {
        String start = name.length() > NAME_WIDTH
                ? name + "\n" + " ".repeat(NAME_WIDTH)
                : name + " ".repeat(NAME_WIDTH - name.length());
        String numbers = usage == null
                ? String.format(Locale.ROOT, "%10s %10s %10s %5s", "-", "-", "-", "-")
                : String.format(
                        Locale.ROOT,
                        "%10s %10s %10s %5s",
                        size(usage.total(), human),
                        size(usage.used(), human),
                        size(usage.available(), human),
                        String.format(Locale.ROOT, "%3.0f%%", Math.ceil(usage.usedPercent())));
        return start + numbers + "\n";
    }

    private static String size(long bytes, boolean human) {
        return human ? Sizes.human(bytes) : Long.toString(bytes / 1024);
    }

    static String csvLine(String guest, String name, @Nullable DiskUsage usage) {
        String numbers = usage == null
                ? "-,-,-,-"
                : String.format(
                        Locale.ROOT,
                        "%d,%d,%d,%s",
                        usage.totalKiB(),
                        usage.usedKiB(),
                        usage.availableKiB(),
                        Sizes.fixed(usage.usedPercent(), 1));
        return csvField(guest) + "," + csvField(Printable.escape(name)) + "," + numbers + "\n";
    }

    private static String csvField(String text) {
        boolean plain =
                text.indexOf(' ') < 0 && text.indexOf('"') < 0 && text.indexOf('\n') < 0 && text.indexOf(',') < 0;
        return plain ? text : '"' + text.replace("\"", "\"\"") + '"';
    }
}
