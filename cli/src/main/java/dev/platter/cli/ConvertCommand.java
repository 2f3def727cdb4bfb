package dev.platter.cli;

import dev.platter.core.BlockDevice;
import dev.platter.core.Copier;
import dev.platter.core.DiskImage;
import dev.platter.core.DiskImages;
import dev.platter.core.OpenOptions;
import dev.platter.core.ReferencePolicy;
import dev.platter.core.Storage;
import dev.platter.core.Storages;
import dev.platter.inspect.ImageInspector;
import dev.platter.qcow2.Qcow2;
import dev.platter.qcow2.Qcow2Disk;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import picocli.CommandLine.Model.CommandSpec;

/**
 * {@code platter convert}: a disk, a snapshot or a volume as a new image, as {@code qemu-img convert}. QEMU: qemu-img.c,
 * img_convert.
 */
final class ConvertCommand implements Command {
    private static final int MOST_THREADS = 16;

    @Override
    public void describe(CommandSpec spec) {
        Model.choice(
                spec, "FORMAT", "format of the new image, raw (the default) or qcow2", List.of("raw", "qcow2"), "-O");
        Model.values(spec, "OPTIONS", "options of the new image, as those of create", "-o");
        Model.value(spec, "NAME", "convert an internal snapshot (id or name)", "-l");
        Model.flag(spec, "write into an image that is there and at least as large", "-n");
        Model.flag(spec, "compress the new image; qcow2 only", "-c");
        Model.value(spec, "NUM", "read and write with so many threads, 1 to 16", "-m");
        Model.flag(spec, "threads may write out of order, which can be faster", "-W");
        Model.flag(spec, "show the progress", "-p");
        Model.flag(spec, "overwrite a file of that name", "--force");
        ReadingOptions.add(spec);
        Model.parameters(
                spec,
                "SOURCE TARGET",
                "2..*",
                "the image, or IMAGE:DEVICE for a partition or volume in it as inspect shows it; and the new image");
        Map<String, String> codes = new LinkedHashMap<>();
        codes.put("0", "the new image is whole and durable");
        codes.put("1", "error; no half file is left");
        codes.put("2", "usage");
        Model.help(
                spec,
                "Copies a disk into a new image. Zeros take no space there.",
                codes,
                "platter convert -O qcow2 guest.raw guest.qcow2",
                "platter convert -O raw -l before-update guest.qcow2 before.raw",
                "platter convert -c -O qcow2 -o compression_type=zstd guest.raw small.qcow2",
                "platter convert -O qcow2 guest.qcow2:/dev/vg0/root root.qcow2");
    }

    @Override
    public int run(Arguments arguments, Stdio io) throws IOException {
        List<String> parameters = arguments.parameters();
        if (parameters.size() != 2) {
            throw new UsageException("one source and one target are needed");
        }
        String source = parameters.get(0);
        String snapshot = arguments.value("-l") == null ? arguments.value("--snapshot") : arguments.value("-l");
        OpenOptions options = ReadingOptions.of(arguments, new Warnings(arguments, io));
        int colon = source.indexOf(":/");
        if (colon > 0 && !Files.exists(Arguments.path(source))) {
            Path image = Arguments.path(source.substring(0, colon));
            try (ImageInspector inspector = ImageInspector.open(List.of(image), options, snapshot);
                    BlockDevice device = inspector.device(source.substring(colon + 1))) {
                convert(device, parameters.get(1), arguments, io);
            }
            return ExitCode.WHOLE;
        }
        try (DiskImage image = DiskImages.open(Arguments.path(source), options)) {
            if (snapshot == null) {
                convert(image, parameters.get(1), arguments, io);
                return ExitCode.WHOLE;
            }
            try (BlockDevice device = image.openSnapshot(snapshot)) {
                convert(device, parameters.get(1), arguments, io);
            }
        }
        return ExitCode.WHOLE;
    }

    private static void convert(BlockDevice from, String target, Arguments arguments, Stdio io) throws IOException {
        Path file = Arguments.path(target);
        boolean qcow2 = arguments.choice("-O", "raw", "raw", "qcow2").equals("qcow2");
        CreateArguments asked = new CreateArguments(arguments.values("-o"));
        if (!qcow2 && !asked.isEmpty()) {
            throw new UsageException("-o: a raw image has no options");
        }
        requireCompressible(arguments, qcow2, asked);
        if (arguments.has("-n")) {
            copy(from, file, ReadingOptions.of(arguments, new Warnings(arguments, io)), qcow2, false, arguments, io);
            return;
        }
        try (PartFile part = PartFile.create(file, arguments.has("--force"))) {
            if (qcow2) {
                Qcow2.create(
                        part.path(),
                        asked.toOptions(from.size()).toBuilder().overwrite(true).build());
            } else {
                try (Storage storage = Storages.open(part.path(), true)) {
                    storage.setSize(from.size());
                }
            }
            OpenOptions ours =
                    OpenOptions.builder().references(ReferencePolicy.all()).build();
            copy(from, part.path(), ours, qcow2, asked.get("backing_file") == null, arguments, io);
            part.commit();
        }
    }

    private static void requireCompressible(Arguments arguments, boolean qcow2, CreateArguments asked) {
        if (!arguments.has("-c")) {
            return;
        }
        String preallocation = asked.get("preallocation");
        if (!qcow2) {
            throw new UsageException("-c: a raw image cannot be compressed; -O qcow2 can");
        }
        if (preallocation != null && !preallocation.equals("off")) {
            throw new UsageException(
                    "-c and -o preallocation exclude each other: a compressed image has no place to keep");
        }
        if (asked.get("data_file") != null) {
            throw new UsageException("-c and -o data_file exclude each other: a data file cannot be compressed");
        }
    }

    /** Returns a copier with the threads that are asked for. */
    private static Copier copier(BlockDevice from, Arguments arguments) {
        Copier copier = Copier.of(from).inOrder(!arguments.has("-W"));
        String text = arguments.value("-m");
        if (text == null) {
            return copier;
        }
        int threads;
        try {
            threads = Integer.parseInt(text);
        } catch (NumberFormatException e) {
            throw new UsageException("-m " + text + " is not a number from 1 to 16");
        }
        if (threads < 1 || threads > MOST_THREADS) {
            throw new UsageException("-m " + text + " is not a number from 1 to 16");
        }
        boolean severalWrite = arguments.has("-c") || arguments.has("-W");
        return copier.threads(threads).writers(severalWrite ? threads : 1);
    }

    private static void copy(
            BlockDevice from,
            Path file,
            OpenOptions options,
            boolean qcow2,
            boolean zeroed,
            Arguments arguments,
            Stdio io)
            throws IOException {
        OpenOptions writable = options.toBuilder()
                .format(qcow2 ? "qcow2" : "raw")
                .writable(true)
                .build();
        try (DiskImage to = DiskImages.open(file, writable)) {
            if (to.size() < from.size()) {
                throw new UsageException("the target has " + to.size() + " bytes, the source " + from.size());
            }
            BlockDevice target = arguments.has("-c") ? ((Qcow2Disk) to).compressing() : to;
            copyShown(from, target, copier(from, arguments).targetIsZeroed(zeroed), arguments, io);
            to.flush();
        }
    }

    private static void copyShown(BlockDevice from, BlockDevice to, Copier copier, Arguments arguments, Stdio io)
            throws IOException {
        if (!arguments.has("-p") && (arguments.has("--quiet") || !io.isErrorTerminal())) {
            copier.to(to);
            return;
        }
        try (ProgressView view = new ProgressView(from.size())) {
            copier.onProgress(view).to(to);
        }
    }
}
