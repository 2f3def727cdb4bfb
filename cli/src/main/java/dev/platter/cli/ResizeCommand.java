package dev.platter.cli;

import dev.platter.core.DiskImage;
import dev.platter.core.DiskImages;
import dev.platter.core.OpenOptions;
import dev.platter.core.Storage;
import dev.platter.core.Storages;
import dev.platter.core.ZeroMode;
import dev.platter.qcow2.CreateOptions;
import dev.platter.qcow2.Qcow2;
import java.io.IOException;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import picocli.CommandLine.Model.CommandSpec;

/** {@code platter resize}: another size for a disk, as {@code qemu-img resize} gives it. QEMU: qemu-img.c, img_resize. */
final class ResizeCommand implements Command {

    @Override
    public void describe(CommandSpec spec) {
        Model.flag(spec, "let the end of the disk be lost", "--shrink");
        Model.choice(
                spec,
                "WHAT",
                "what is allocated where the disk grows: off (the default), metadata, falloc, full",
                List.of("off", "metadata", "falloc", "full"),
                "--preallocation");
        ReadingOptions.add(spec);
        Model.parameters(spec, "IMAGE SIZE", "1..*", "the image, and its new size: 20G, or +5G, or -5G");
        // -5G is a size, as it is for qemu-img
        spec.parser().unmatchedOptionsArePositionalParams(true);
        Map<String, String> codes = new LinkedHashMap<>();
        codes.put("0", "the disk has that size");
        codes.put("1", "error; the disk is as it was");
        codes.put("2", "usage");
        Model.help(
                spec,
                "Changes the size of a disk. Partitions and file systems in it stay as they are.",
                codes,
                "platter resize guest.qcow2 +10G",
                "platter resize --shrink guest.qcow2 5G");
    }

    @Override
    public int run(Arguments arguments, Stdio io) throws IOException {
        List<String> parameters = arguments.parameters();
        for (String parameter : parameters) {
            requireNoOption(parameter);
        }
        if (parameters.size() != 2) {
            throw new UsageException("an image and a size are needed: platter resize guest.qcow2 +10G");
        }
        Path file = Arguments.file(parameters.get(0));
        OpenOptions options = ReadingOptions.of(arguments, new Warnings(arguments, io));
        boolean shrink = arguments.has("--shrink");
        String preallocation = arguments.choice("--preallocation", "off", "off", "metadata", "falloc", "full");
        long before;
        long size;
        boolean raw;
        try (DiskImage image = DiskImages.open(file, options)) {
            before = image.size();
            size = size(before, parameters.get(1));
            raw = image.info().format().equals("raw");
        }
        if (!preallocation.equals("off") && size < before) {
            throw new UsageException("--preallocation is for disks that grow");
        }
        if (raw) {
            resizeRaw(file, size, shrink, preallocation);
        } else if (preallocation.equals("off")) {
            Qcow2.resize(file, options, size, shrink);
        } else {
            Qcow2.grow(
                    file, options, size, CreateOptions.Preallocation.valueOf(preallocation.toUpperCase(Locale.ROOT)));
        }
        if (!arguments.has("--quiet")) {
            io.print("Image resized.\n");
        }
        return ExitCode.WHOLE;
    }

    private static void requireNoOption(String parameter) {
        if (parameter.length() > 1 && parameter.charAt(0) == '-' && !Character.isDigit(parameter.charAt(1))) {
            String refusal = Refusals.of(parameter);
            throw new UsageException(refusal == null ? "unknown option: '" + parameter + "'" : refusal);
        }
    }

    private static long size(long now, String text) {
        boolean relative = text.startsWith("+") || text.startsWith("-");
        long bytes = ByteCount.parse("SIZE", relative ? text.substring(1) : text);
        long size = !relative ? bytes : text.startsWith("+") ? now + bytes : now - bytes;
        if (size < 0 || size > Long.MAX_VALUE - 511) {
            throw new UsageException("SIZE: " + text + " would make " + size + " bytes of " + now);
        }
        if (size == 0) {
            throw new UsageException("SIZE: " + text + " would leave nothing of the disk");
        }
        return (size + 511) & -512L;
    }

    private static void resizeRaw(Path file, long size, boolean shrink, String preallocation) throws IOException {
        if (preallocation.equals("metadata")) {
            throw new UsageException("--preallocation=metadata: a raw image has no metadata");
        }
        try (Storage storage = Storages.open(file, true)) {
            long before = storage.size();
            if (size < storage.size() && !shrink) {
                throw new UsageException("the disk would be smaller than it is (" + storage.size()
                        + " bytes), and its end would be lost; --shrink allows it");
            }
            storage.setSize(size);
            if (!preallocation.equals("off")) {
                storage.writeZeroes(before, size - before, ZeroMode.KEEP_ALLOCATION);
            }
            storage.flush();
        }
    }
}
