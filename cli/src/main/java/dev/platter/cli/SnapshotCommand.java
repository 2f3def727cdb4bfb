package dev.platter.cli;

import dev.platter.core.DiskImage;
import dev.platter.core.DiskImages;
import dev.platter.core.OpenOptions;
import dev.platter.qcow2.Qcow2;
import dev.platter.qcow2.Qcow2Disk;
import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import picocli.CommandLine.Model.CommandSpec;

/** {@code platter snapshot}: internal snapshots, as {@code qemu-img snapshot}. QEMU: qemu-img.c, img_snapshot. */
final class SnapshotCommand implements Command {
    private static final List<String> ACTIONS = List.of("-l", "-c", "-a", "-d");

    @Override
    public void describe(CommandSpec spec) {
        Model.flag(spec, "list the snapshots (the default)", "-l");
        Model.value(spec, "NAME", "create a snapshot of the disk as it is", "-c");
        Model.value(spec, "NAME", "apply a snapshot (id or name): the disk is again as it was", "-a");
        Model.value(spec, "NAME", "delete the first snapshot of that name", "-d");
        ReadingOptions.add(spec);
        Model.parameters(spec, "IMAGE", "1", "the image");
        Map<String, String> codes = new LinkedHashMap<>();
        codes.put("0", "done");
        codes.put("1", "error; the image is as it was");
        codes.put("2", "usage");
        Model.help(
                spec,
                "Lists, creates, applies and deletes internal snapshots. Also if the power goes meanwhile, the image is as"
                        + " it was or as it is to be.",
                codes,
                "platter snapshot -l guest.qcow2",
                "platter snapshot -c before-update guest.qcow2",
                "platter snapshot -a before-update guest.qcow2");
    }

    @Override
    public int run(Arguments arguments, Stdio io) throws IOException {
        List<String> asked = new ArrayList<>(ACTIONS);
        asked.removeIf(action -> !arguments.has(action));
        if (asked.size() > 1) {
            throw new UsageException(String.join(" and ", asked) + " exclude each other");
        }
        String action = asked.isEmpty() ? "-l" : asked.get(0);
        Path file = arguments.file();
        OpenOptions options = ReadingOptions.of(arguments, new Warnings(arguments, io));
        if (action.equals("-l")) {
            try (DiskImage image = DiskImages.open(file, options)) {
                new InfoText(io).printSnapshots(image.snapshots());
            }
            return ExitCode.WHOLE;
        }
        String name = String.valueOf(arguments.value(action));
        try (DiskImage image =
                DiskImages.open(file, options.toBuilder().writable(true).build())) {
            if (!(image instanceof Qcow2Disk disk)) {
                throw new UsageException(file + " is a " + image.info().format() + " image, which has no snapshots");
            }
            if (action.equals("-c")) {
                disk.createSnapshot(name);
            } else if (action.equals("-d")) {
                disk.deleteSnapshotNamed(name);
            }
        }
        if (action.equals("-a")) {
            // by itself, because the disk may get another size
            Qcow2.applySnapshot(file, options, name);
        }
        return ExitCode.WHOLE;
    }
}
