package dev.platter.cli;

import dev.platter.core.DiskImage;
import dev.platter.core.DiskImages;
import dev.platter.core.OpenOptions;
import dev.platter.qcow2.Qcow2Disk;
import java.io.IOException;
import java.nio.file.Path;
import java.util.Iterator;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import picocli.CommandLine.Model.CommandSpec;

/** {@code platter bitmap}: persistent bitmaps, as {@code qemu-img bitmap}. QEMU: qemu-img.c, img_bitmap. */
final class BitmapCommand implements Command {
    private static final List<String> ACTIONS =
            List.of("--add", "--remove", "--clear", "--enable", "--disable", "--merge");

    private static final long LARGEST_DEFAULT = 64 << 10;
    private static final long SMALLEST_DEFAULT = 4 << 10;

    @Override
    public void describe(CommandSpec spec) {
        Model.flag(spec, "make the bitmap, which records changes from now on", "--add");
        Model.flag(spec, "delete it, also if it is in use", "--remove");
        Model.flag(spec, "make it say that nothing changed", "--clear");
        Model.flag(spec, "let it record changes from now on", "--enable");
        Model.flag(spec, "let it record nothing from now on", "--disable");
        Model.values(spec, "SOURCE", "add what the bitmap SOURCE says", "--merge");
        Model.value(spec, "FILE", "where the bitmaps of --merge are; this image if not given", "-b");
        Model.value(spec, "FORMAT", "format of that file", "-F");
        Model.value(
                spec,
                "SIZE",
                "bytes that a bit of the new bitmap stands for; the cluster size from 4k to 64k if not given",
                "-g",
                "--granularity");
        ReadingOptions.add(spec);
        Model.parameters(spec, "IMAGE BITMAP", "1..*", "the image and the name of the bitmap");
        Map<String, String> codes = new LinkedHashMap<>();
        codes.put("0", "done, in the order asked for");
        codes.put("1", "error; what came before it on the command line is done");
        codes.put("2", "usage");
        Model.help(
                spec,
                "Changes a persistent bitmap: what changed on the disk since a backup.",
                codes,
                "platter bitmap --add -g 64k guest.qcow2 nightly",
                "platter bitmap --merge monday --clear guest.qcow2 week",
                "platter info guest.qcow2");
    }

    @Override
    public int run(Arguments arguments, Stdio io) throws IOException {
        List<String> parameters = arguments.parameters();
        List<String> actions = arguments.order(ACTIONS);
        if (parameters.size() != 2) {
            throw new UsageException("one image and one bitmap are needed");
        }
        if (actions.isEmpty()) {
            throw new UsageException("one of " + String.join(", ", ACTIONS) + " is needed");
        }
        requireUse(arguments, actions, "-g", "--add");
        requireUse(arguments, actions, "-b", "--merge");
        if (arguments.has("-F") && !arguments.has("-b")) {
            throw new UsageException("-F needs -b");
        }
        Path file = Arguments.file(parameters.get(0));
        OpenOptions options = ReadingOptions.of(arguments, new Warnings(arguments, io));
        try (DiskImage image =
                DiskImages.open(file, options.toBuilder().writable(true).build())) {
            if (!(image instanceof Qcow2Disk disk)) {
                throw new UsageException(file + " is a " + image.info().format() + " image, which has no bitmaps");
            }
            Iterator<String> sources = arguments.values("--merge").iterator();
            for (String action : actions) {
                change(disk, parameters.get(1), action, sources, arguments, options);
            }
        }
        return ExitCode.WHOLE;
    }

    private static void requireUse(Arguments arguments, List<String> actions, String option, String action) {
        if (arguments.has(option) && !actions.contains(action)) {
            throw new UsageException(option + " is for " + action + " only");
        }
    }

    private static void change(
            Qcow2Disk disk,
            String name,
            String action,
            Iterator<String> sources,
            Arguments arguments,
            OpenOptions options)
            throws IOException {
        switch (action) {
            case "--add" -> disk.addBitmap(name, granularity(disk, arguments), true);
            case "--remove" -> disk.removeBitmap(name);
            case "--clear" -> disk.clearBitmap(name);
            case "--enable" -> disk.enableBitmap(name);
            case "--disable" -> disk.disableBitmap(name);
            default -> merge(disk, name, sources.next(), arguments, options);
        }
    }

    private static void merge(Qcow2Disk disk, String name, String source, Arguments arguments, OpenOptions options)
            throws IOException {
        String other = arguments.value("-b");
        if (other == null) {
            disk.mergeBitmap(name, disk, source);
            return;
        }
        OpenOptions reading = options.toBuilder().format(arguments.value("-F")).build();
        try (DiskImage image = new ImageName(other).open(reading)) {
            disk.mergeBitmap(name, image, source);
        }
    }

    private static long granularity(DiskImage disk, Arguments arguments) {
        String asked = arguments.value("-g");
        if (asked != null) {
            return ByteCount.parse("-g", asked);
        }
        Long clusterSize = disk.info().clusterSize();
        return clusterSize == null
                ? LARGEST_DEFAULT
                : Math.min(LARGEST_DEFAULT, Math.max(SMALLEST_DEFAULT, clusterSize));
    }
}
