package dev.platter.cli;

import dev.platter.core.BlockDevice;
import dev.platter.core.DiskImage;
import dev.platter.qcow2.Measurement;
import dev.platter.qcow2.Qcow2;
import java.io.IOException;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Model.CommandSpec;

/** {@code platter measure}: how large a new image would be, as {@code qemu-img measure}. QEMU: qemu-img.c, img_measure. */
final class MeasureCommand implements Command {

    @Override
    public void describe(CommandSpec spec) {
        Model.output(spec);
        Model.choice(
                spec, "FORMAT", "format of the new image, raw (the default) or qcow2", List.of("raw", "qcow2"), "-O");
        Model.values(spec, "OPTIONS", "options of the new image, as those of create", "-o");
        Model.value(spec, "SIZE", "measure an empty image of that size instead of a copy of IMAGE", "--size");
        Model.value(
                spec,
                "NAME",
                "measure a copy of an internal snapshot: id, name, or snapshot.id=ID,snapshot.name=NAME",
                "-l");
        ReadingOptions.add(spec);
        Model.parameters(spec, "IMAGE", "0..1", "the image that would be converted");
        Map<String, String> codes = new LinkedHashMap<>();
        codes.put("0", "the sizes are shown");
        codes.put("1", "error");
        codes.put("2", "usage");
        Model.help(
                spec,
                "Shows how large a new image would be: what it takes at first, a little more at most, and when all of its"
                        + " disk was written. Writes nothing.",
                codes,
                "platter measure --size 20G -O qcow2",
                "platter measure -O qcow2 -o cluster_size=2M --output=json guest.raw");
    }

    @Override
    public int run(Arguments arguments, Stdio io) throws IOException {
        boolean json = arguments.choice("--output", "human", "human", "json").equals("json");
        boolean qcow2 = arguments.choice("-O", "raw", "raw", "qcow2").equals("qcow2");
        CreateArguments asked = new CreateArguments(arguments.values("-o"));
        if (!qcow2 && !asked.isEmpty()) {
            throw new UsageException("-o: a raw image has no options");
        }
        asked.withoutBackingFormat();
        String size = arguments.value("--size");
        List<String> images = arguments.parameters();
        if ((size == null) == images.isEmpty()) {
            throw new UsageException("either --size SIZE or an image is needed");
        }
        Measurement found;
        if (size != null) {
            if (arguments.has("-l") || arguments.has("-f")) {
                throw new UsageException("-l and -f are about an image; --size needs none");
            }
            long bytes = ByteCount.parse("--size", size);
            found = qcow2 ? Qcow2.measure(asked.toOptions(bytes)) : raw(bytes);
        } else {
            found = ofImage(arguments, io, asked, qcow2);
        }
        io.print(json ? json(found) : text(found));
        return ExitCode.WHOLE;
    }

    private static Measurement ofImage(Arguments arguments, Stdio io, CreateArguments asked, boolean qcow2)
            throws IOException {
        SnapshotChoice choice = SnapshotChoice.of(arguments);
        try (DiskImage image =
                arguments.images().get(0).open(ReadingOptions.of(arguments, new Warnings(arguments, io)))) {
            String snapshot = choice == null ? null : choice.in(image);
            if (qcow2) {
                return Qcow2.measure(asked.toOptions(image.size()), image, snapshot);
            }
            return raw(snapshot == null ? image.size() : sizeOf(image, snapshot));
        }
    }

    private static long sizeOf(DiskImage image, String snapshot) throws IOException {
        try (BlockDevice device = image.openSnapshot(snapshot)) {
            return device.size();
        }
    }

    private static Measurement raw(long size) {
        if (size > Long.MAX_VALUE - 511) {
            throw new UsageException("a disk of " + size + " bytes is too large");
        }
        long whole = size + 511 & -512L;
        return new Measurement(whole, whole, null);
    }

    private static String text(Measurement found) {
        return "required size: " + found.required() + "\nfully allocated size: " + found.fullyAllocated() + "\n"
                + line("bitmaps size: ", found.bitmaps(), "\n");
    }

    private static String json(Measurement found) {
        return "{\n" + line("    \"bitmaps\": ", found.bitmaps(), ",\n") + "    \"required\": " + found.required()
                + ",\n    \"fully-allocated\": " + found.fullyAllocated() + "\n}\n";
    }

    private static String line(String before, @Nullable Long number, String after) {
        return number == null ? "" : before + number + after;
    }
}
