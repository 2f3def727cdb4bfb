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

/** {@code platter create}: a new, empty image, as {@code qemu-img create} makes it. QEMU: qemu-img.c, img_create. */
final class CreateCommand implements Command {

    @Override
    public void describe(CommandSpec spec) {
        Model.choice(spec, "FORMAT", "raw (the default) or qcow2", List.of("raw", "qcow2"), "-f", "--format");
        Model.value(spec, "FILE", "the backing file, as it is stored in the image", "-b", "--backing");
        Model.value(spec, "FORMAT", "the format of the backing file", "-F", "--backing-format");
        Model.values(
                spec,
                "OPTIONS",
                "name=value,...: cluster_size, compat, refcount_bits, extended_l2, compression_type, lazy_refcounts,"
                        + " preallocation, data_file, data_file_raw, backing_file, backing_fmt, size",
                "-o");
        Model.flag(spec, "do not open the backing file; needs SIZE", "-u");
        Model.flag(spec, "overwrite a file of that name", "--force");
        Model.flag(spec, "print nothing", "-q", "--quiet");
        Model.parameters(spec, "FILE [SIZE]", "1..*", "the new image, and the bytes of its disk: 512, 64k, 10G");
        Map<String, String> codes = new LinkedHashMap<>();
        codes.put("0", "the image is made");
        codes.put("1", "error; there is no new file");
        codes.put("2", "usage");
        Model.help(
                spec,
                "Makes an empty image. A file of that name is not overwritten, which qemu-img does.",
                codes,
                "platter create -f qcow2 disk.qcow2 20G",
                "platter create -f qcow2 -b golden.qcow2 -F qcow2 clone.qcow2");
    }

    @Override
    public int run(Arguments arguments, Stdio io) throws IOException {
        List<String> parameters = arguments.parameters();
        if (parameters.size() > 2) {
            throw new UsageException("one image and one size at most");
        }
        Path file = Arguments.file(parameters.get(0));
        boolean qcow2 = arguments.choice("-f", "raw", "raw", "qcow2").equals("qcow2");
        CreateArguments asked = new CreateArguments(arguments.values("-o"));
        asked.put("backing_file", arguments.value("-b"));
        asked.put("backing_fmt", arguments.value("-F"));
        if (parameters.size() == 2) {
            if (asked.get("size") != null) {
                throw new UsageException("the size is stated twice, as -o size and as SIZE");
            }
            asked.put("size", parameters.get(1));
        }
        boolean force = arguments.has("--force");
        if (!qcow2) {
            long size = createRaw(file, asked, force);
            if (!arguments.has("--quiet")) {
                String stated = asked.get("preallocation");
                io.print("Formatting '" + file + "', fmt=raw size=" + size
                        + (stated == null ? "" : " preallocation=" + stated) + "\n");
            }
            return ExitCode.WHOLE;
        }
        long size = size(file, asked, arguments.has("-u"));
        CreateOptions options = asked.toOptions(size);
        try (PartFile part = PartFile.create(file, force)) {
            Qcow2.create(part.path(), options.toBuilder().overwrite(true).build());
            part.commit();
        }
        if (!arguments.has("--quiet")) {
            io.print("Formatting '" + file + "', " + describe(options, asked, size) + "\n");
        }
        return ExitCode.WHOLE;
    }

    private static long createRaw(Path file, CreateArguments asked, boolean force) throws IOException {
        if (asked.get("backing_file") != null) {
            throw new UsageException("a raw image has no backing file; -f qcow2 can");
        }
        boolean filled = asked.fillsRaw();
        String size = asked.get("size");
        if (size == null) {
            throw new UsageException("how large? platter create " + file + " 10G");
        }
        long bytes = ByteCount.parse("SIZE", size);
        if (bytes > Long.MAX_VALUE - 511) {
            throw new UsageException("SIZE: " + size + " is not from 0 to 2^63-512");
        }
        long sectors = bytes + 511 & -512L;
        try (PartFile part = PartFile.create(file, force)) {
            try (Storage storage = Storages.open(part.path(), true)) {
                storage.setSize(sectors);
                if (filled) {
                    storage.writeZeroes(0, sectors, ZeroMode.KEEP_ALLOCATION);
                }
                storage.flush();
            }
            part.commit();
        }
        return bytes;
    }

    /** The size that is stated, or that of the backing file, which has to be there. */
    private static long size(Path file, CreateArguments asked, boolean unchecked) throws IOException {
        String stated = asked.get("size");
        String backing = asked.get("backing_file");
        if (backing == null || unchecked) {
            if (stated == null) {
                throw new UsageException("how large? platter create -f qcow2 " + file + " 10G");
            }
            return ByteCount.parse("SIZE", stated);
        }
        OpenOptions options =
                OpenOptions.builder().format(asked.backingFormat()).build();
        try (DiskImage below = DiskImages.open(file.toAbsolutePath().resolveSibling(backing), options)) {
            return stated == null ? below.size() : ByteCount.parse("SIZE", stated);
        }
    }

    /** Says what is made as qemu-img does: the size that was asked for, and some options only if they were stated. */
    private static String describe(CreateOptions options, CreateArguments asked, long size) {
        StringBuilder text = new StringBuilder("fmt=qcow2 cluster_size=").append(options.clusterSize());
        text.append(" extended_l2=").append(options.extendedL2() ? "on" : "off");
        appendStated(text, asked, "preallocation");
        text.append(" compression_type=")
                .append(options.compressionType().name().toLowerCase(Locale.ROOT));
        text.append(" size=").append(size);
        appendStated(text, asked, "compat");
        if (options.backingFile() != null) {
            text.append(" backing_file=").append(options.backingFile());
            text.append(" backing_fmt=").append(options.backingFormat());
        }
        if (options.dataFile() != null) {
            text.append(" data_file=").append(options.dataFile());
        }
        if (asked.get("data_file_raw") != null) {
            text.append(" data_file_raw=").append(options.dataFileRaw() ? "on" : "off");
        }
        text.append(" lazy_refcounts=").append(options.lazyRefcounts() ? "on" : "off");
        return text.append(" refcount_bits=").append(options.refcountBits()).toString();
    }

    private static void appendStated(StringBuilder text, CreateArguments asked, String name) {
        String value = asked.get(name);
        if (value != null) {
            text.append(' ').append(name).append('=').append(value);
        }
    }
}
