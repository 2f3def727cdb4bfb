package dev.platter.cli;

import dev.platter.core.BlockDevice;
import dev.platter.core.DiskImage;
import dev.platter.core.Extents;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.util.LinkedHashMap;
import java.util.Map;
import picocli.CommandLine.Model.CommandSpec;

/** {@code platter map}: what {@code qemu-img map} prints, or the dirty ranges of a bitmap. */
final class MapCommand implements Command {

    @Override
    public void describe(CommandSpec spec) {
        Model.output(spec);
        Model.value(spec, "NAME", "the dirty ranges of a persistent bitmap instead", "--bitmap");
        Model.value(spec, "OFFSET", "begin there", "-s", "--start-offset");
        Model.value(spec, "LENGTH", "end after so many bytes", "-l", "--max-length");
        ReadingOptions.add(spec);
        Model.parameters(spec, "IMAGE", "1", "the image");
        Map<String, String> codes = new LinkedHashMap<>();
        codes.put("0", "whole");
        codes.put("1", "error");
        codes.put("2", "usage");
        codes.put("3", "partial: shown, but some ranges cannot be read; they are marked");
        Model.help(
                spec,
                "Shows where the bytes of an image lie, as qemu-img map does, or what a bitmap says has changed.",
                codes,
                "platter map --output=json guest.qcow2",
                "platter map --bitmap backup0 guest.qcow2");
    }

    @Override
    public int run(Arguments arguments, Stdio io) throws IOException {
        boolean json = arguments.choice("--output", "human", "human", "json").equals("json");
        Warnings warnings = new Warnings(arguments, io);
        try (DiskImage image = arguments.images().get(0).open(ReadingOptions.of(arguments, warnings))) {
            String bitmap = arguments.value("--bitmap");
            if (bitmap != null) {
                if (arguments.has("--snapshot")) {
                    throw new UsageException("--bitmap and --snapshot exclude each other: bitmaps are of the present");
                }
                printBitmap(image, bitmap, json, io);
                return ExitCode.WHOLE;
            }
            String snapshot = arguments.value("--snapshot");
            if (snapshot == null) {
                return printMap(image, image, arguments, io);
            }
            try (BlockDevice device = image.openSnapshot(snapshot)) {
                return printMap(device, image, arguments, io);
            }
        }
    }

    private static void printBitmap(DiskImage image, String bitmap, boolean json, Stdio io) throws IOException {
        TextOutput out = new TextOutput(io.out());
        String[] between = {json ? "[" : "Start           Length\n"};
        image.dirtyRanges(bitmap, (offset, length) -> {
            out.ascii(between[0]);
            if (json) {
                out.ascii("{ \"start\": ")
                        .number(offset)
                        .ascii(", \"length\": ")
                        .number(length);
                out.ascii(", \"dirty\": true}");
                between[0] = ",\n";
            } else {
                out.hexColumn(offset)
                        .ascii("0x")
                        .ascii(Long.toHexString(length))
                        .ascii("\n");
                between[0] = "";
            }
            return true;
        });
        if (json) {
            out.ascii(between[0].equals("[") ? "[]\n" : "]\n");
        } else {
            out.ascii(between[0]);
        }
        out.flush();
    }

    private static int printMap(BlockDevice device, DiskImage image, Arguments arguments, Stdio io) throws IOException {
        boolean json = arguments.choice("--output", "human", "human", "json").equals("json");
        long start = Math.min(device.size(), bytes(arguments, "--start-offset", 0));
        long length = Math.min(device.size() - start, bytes(arguments, "--max-length", Long.MAX_VALUE));
        TextOutput out = new TextOutput(io.out());
        MapLines lines = json ? new MapLines.Json(out, image) : new MapLines.Human(out, image);
        Extents.forEach(device, start, length, lines);
        lines.finish();
        out.flush();
        if (lines.hasHiddenClusters()) {
            throw new IOException("File contains external, encrypted or compressed clusters.");
        }
        if (lines.firstUnreadable() < 0) {
            return ExitCode.WHOLE;
        }
        io.message(reason(device, lines.firstUnreadable()));
        return ExitCode.PARTIAL;
    }

    private static long bytes(Arguments arguments, String option, long otherwise) {
        String text = arguments.value(option);
        return text == null ? otherwise : ByteCount.parse(option, text);
    }

    private static String reason(BlockDevice device, long offset) {
        try {
            device.read(offset, ByteBuffer.allocate(1));
            return device.description() + ": some ranges cannot be read, the first begins at " + offset;
        } catch (IOException e) {
            return Failures.text(e);
        }
    }
}
