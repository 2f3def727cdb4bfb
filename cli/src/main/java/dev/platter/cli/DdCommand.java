package dev.platter.cli;

import dev.platter.core.BlockDevice;
import dev.platter.core.BlockDevices;
import dev.platter.core.Copier;
import dev.platter.core.DiskImage;
import dev.platter.core.DiskImages;
import dev.platter.core.OpenOptions;
import dev.platter.core.ReferencePolicy;
import java.io.IOException;
import java.nio.file.Path;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import picocli.CommandLine.Model.CommandSpec;

/** {@code platter dd}: blocks of a disk as a new image, as {@code qemu-img dd}. QEMU: qemu-img.c, img_dd. */
final class DdCommand implements Command {
    private static final List<String> OPERANDS = List.of("if", "of", "bs", "count", "skip");

    @Override
    public void describe(CommandSpec spec) {
        Model.choice(
                spec, "FORMAT", "format of the new image, raw (the default) or qcow2", List.of("raw", "qcow2"), "-O");
        Model.flag(spec, "overwrite a file of that name", "--force");
        ReadingOptions.add(spec);
        Model.parameters(
                spec,
                "OPERAND",
                "1..*",
                "if=IMAGE of=FILE, and bs=BYTES (512), count=BLOCKS (all that follow), skip=BLOCKS (0)");
        Map<String, String> codes = new LinkedHashMap<>();
        codes.put("0", "the new image is whole and durable");
        codes.put("1", "error; no half file is left");
        codes.put("2", "usage");
        Model.help(
                spec,
                "Copies a part of a disk into a new image, which is as large as that part.",
                codes,
                "platter dd -f qcow2 -O raw bs=1M skip=1 count=200 if=guest.qcow2 of=partition.raw");
    }

    @Override
    public int run(Arguments arguments, Stdio io) throws IOException {
        Map<String, String> operands = operands(arguments.parameters());
        String from = operands.get("if");
        String to = operands.get("of");
        if (from == null || to == null) {
            throw new UsageException("if=IMAGE and of=FILE are needed");
        }
        long blockSize = number(operands, "bs", 512);
        if (blockSize < 1 || blockSize > Integer.MAX_VALUE) {
            throw new UsageException("bs=" + operands.get("bs") + " is not from 1 to 2147483647 bytes");
        }
        long skip = number(operands, "skip", 0);
        long count = number(operands, "count", Long.MAX_VALUE);
        boolean qcow2 = arguments.choice("-O", "raw", "raw", "qcow2").equals("qcow2");
        OpenOptions options = ReadingOptions.of(arguments, new Warnings(arguments, io));
        try (DiskImage image = new ImageName(from).open(options)) {
            long size = image.size();
            long start = skip > size / blockSize ? size : skip * blockSize;
            if (skip > 0 && skip > size / blockSize) {
                io.message(image.description() + ": cannot skip to specified offset");
            }
            long left = size - start;
            long length = count > left / blockSize ? left : count * blockSize;
            BlockDevice part = BlockDevices.slice(image, "from " + start + " on", start, length);
            copy(part, Arguments.file(to), qcow2, arguments.has("--force"));
        }
        return ExitCode.WHOLE;
    }

    private static Map<String, String> operands(List<String> texts) {
        Map<String, String> operands = new HashMap<>();
        for (String text : texts) {
            int equals = text.indexOf('=');
            String name = equals < 0 ? text : text.substring(0, equals);
            if (equals < 0 || !OPERANDS.contains(name)) {
                throw new UsageException(
                        "unrecognized operand " + text + "; known are " + String.join("=, ", OPERANDS) + "=");
            }
            operands.put(name, text.substring(equals + 1));
        }
        return operands;
    }

    private static long number(Map<String, String> operands, String name, long otherwise) {
        String text = operands.get(name);
        return text == null ? otherwise : ByteCount.parse(name, text);
    }

    private static void copy(BlockDevice from, Path file, boolean qcow2, boolean force) throws IOException {
        try (PartFile part = PartFile.create(file, force)) {
            ConvertCommand.create(part.path(), qcow2, new CreateArguments(List.of()), from.size());
            OpenOptions writable = OpenOptions.builder()
                    .format(qcow2 ? "qcow2" : "raw")
                    .writable(true)
                    .references(ReferencePolicy.all())
                    .build();
            try (DiskImage to = DiskImages.open(part.path(), writable)) {
                Copier.of(from)
                        .targetIsZeroed(true)
                        .zeroBlock(ConvertCommand.zeroBlock(to, true))
                        .to(to);
            }
            part.commit();
        }
    }
}
