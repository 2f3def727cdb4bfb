package dev.platter.cli;

import dev.platter.core.BitmapInfo;
import dev.platter.core.BlockDevice;
import dev.platter.core.Copier;
import dev.platter.core.DiskImage;
import dev.platter.core.DiskImageException;
import dev.platter.core.OpenOptions;
import dev.platter.core.Printable;
import dev.platter.core.ReferencePolicy;
import dev.platter.core.Storage;
import dev.platter.core.Storages;
import dev.platter.core.ZeroMode;
import dev.platter.inspect.ImageInspector;
import dev.platter.qcow2.Qcow2;
import dev.platter.qcow2.Qcow2Disk;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Model.CommandSpec;

/**
 * {@code platter convert}: a disk, a snapshot or a volume as a new image, as {@code qemu-img convert}. QEMU: qemu-img.c,
 * img_convert.
 */
final class ConvertCommand implements Command {
    private static final int MOST_THREADS = 16;
    private static final int FINEST_ZERO_BLOCK = 4 << 10;
    private static final int COARSEST_ZERO_BLOCK = 64 << 10;
    private static final int SUBCLUSTERS = 32;

    @Override
    public void describe(CommandSpec spec) {
        Model.choice(
                spec, "FORMAT", "format of the new image, raw (the default) or qcow2", List.of("raw", "qcow2"), "-O");
        Model.values(spec, "OPTIONS", "options of the new image, as those of create", "-o");
        Model.value(spec, "NAME", "convert an internal snapshot: id, name, or snapshot.id=ID,snapshot.name=NAME", "-l");
        Model.value(
                spec,
                "FILE",
                "backing file of the new image, as it is stored: only what the topmost image holds is copied",
                "-B");
        Model.choice(spec, "FORMAT", "the format of the backing file", List.of("raw", "qcow2"), "-F");
        Model.value(
                spec,
                "SIZE",
                "aligned blocks that are looked at for zeros, 0: zeros are written; if not given, 4k for a new raw image,"
                        + " and clusters of 4k to 64k for qcow2",
                "-S");
        Model.flag(spec, "write into an image that is there and at least as large", "-n");
        Model.flag(spec, "with -n: the image that is there is known to read as zeros", "--target-is-zero");
        Model.flag(spec, "zeros instead of sectors that cannot be read, with a warning for each", "--salvage");
        Model.value(spec, "RATE", "bytes a second at most", "-r");
        Model.flag(spec, "compress the new image; qcow2 only", "-c");
        Model.value(spec, "NUM", "read and write with so many threads, 1 to 16", "-m");
        Model.flag(spec, "threads may write out of order, which can be faster", "-W");
        Model.flag(spec, "show the progress", "-p");
        Model.flag(spec, "copy the persistent bitmaps too", "--bitmaps");
        Model.flag(spec, "with --bitmaps: leave out those that are in use", "--skip-broken-bitmaps");
        Model.flag(spec, "accepted, without effect: the system decides how it copies", "-C");
        CacheModes.addForNewFile(spec, "-t", "-T");
        Model.flag(spec, "overwrite a file of that name", "--force");
        ReadingOptions.add(spec);
        Model.parameters(
                spec,
                "SOURCE... TARGET",
                "1..*",
                "the image, or IMAGE:DEVICE for a partition or volume in it as inspect shows it; several images are put"
                        + " one behind the other; and the new image");
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
        if (parameters.size() < 2) {
            throw new UsageException("a source and a target are needed");
        }
        CacheModes.check(arguments, "-t", "-T");
        String source = parameters.get(0);
        SnapshotChoice snapshot = SnapshotChoice.of(arguments);
        OpenOptions options = ReadingOptions.of(arguments, new Warnings(arguments, io));
        if (parameters.size() > 2) {
            convertSeveral(arguments, options, io);
            return ExitCode.WHOLE;
        }
        int colon = deviceColon(source);
        if (colon > 0) {
            ImageName image = new ImageName(source.substring(0, colon));
            try (ImageInspector inspector =
                            Inspections.open(List.of(image), options, nameIn(image, snapshot, options));
                    BlockDevice device = inspector.device(source.substring(colon + 1))) {
                convert(device, parameters.get(1), arguments, io);
            }
            return ExitCode.WHOLE;
        }
        try (DiskImage image = new ImageName(source).open(options)) {
            if (snapshot == null) {
                convert(image, parameters.get(1), arguments, io);
                return ExitCode.WHOLE;
            }
            try (BlockDevice device = image.openSnapshot(snapshot.in(image))) {
                convert(device, parameters.get(1), arguments, io);
            }
        }
        return ExitCode.WHOLE;
    }

    private static @Nullable String nameIn(ImageName name, @Nullable SnapshotChoice snapshot, OpenOptions options)
            throws IOException {
        if (snapshot == null) {
            return null;
        }
        // warnings are told when it is opened to be read
        try (DiskImage image =
                name.open(options.toBuilder().onWarning(warning -> {}).build())) {
            return snapshot.in(image);
        }
    }

    /** Returns where the name of a device begins in IMAGE:DEVICE; -1 if there is only an image. */
    private static int deviceColon(String source) {
        if (NbdAddress.is(source)) {
            int scheme = source.indexOf("://");
            int colon = source.lastIndexOf(":/");
            return scheme >= 0 && colon > scheme ? colon : -1;
        }
        int colon = source.indexOf(":/");
        return colon > 0 && !Files.exists(Arguments.path(source)) ? colon : -1;
    }

    private static void convertSeveral(Arguments arguments, OpenOptions options, Stdio io) throws IOException {
        List<String> parameters = arguments.parameters();
        if (SnapshotChoice.of(arguments) != null) {
            throw new UsageException("-l: a snapshot is of one image, and there are several");
        }
        int last = parameters.size() - 1;
        try (BlockDevice all = Concatenation.open(parameters.subList(0, last), options)) {
            convert(all, parameters.get(last), arguments, io);
        }
    }

    private static void convert(BlockDevice from, String target, Arguments arguments, Stdio io) throws IOException {
        if (!arguments.has("--salvage")) {
            convertReadable(from, target, arguments, io);
            return;
        }
        SalvagingDevice salvaging = new SalvagingDevice(from, arguments, io);
        convertReadable(salvaging, target, arguments, io);
        salvaging.finish();
    }

    private static void convertReadable(BlockDevice from, String target, Arguments arguments, Stdio io)
            throws IOException {
        boolean qcow2 = arguments.choice("-O", "raw", "raw", "qcow2").equals("qcow2");
        requireBitmaps(from, qcow2, arguments);
        CreateArguments asked = new CreateArguments(arguments.values("-o"));
        asked.put("backing_file", arguments.value("-B"));
        asked.put("backing_fmt", arguments.value("-F"));
        boolean overlay = asked.get("backing_file") != null;
        if (!qcow2 && overlay) {
            throw new UsageException("a raw image has no backing file; -O qcow2 can");
        }
        if (!qcow2 && asked.get("size") != null) {
            throw new UsageException("-o size: a raw image of a disk is as large as the disk");
        }
        if (!qcow2) {
            asked.fillsRaw();
        }
        if (overlay && arguments.parameters().size() > 2) {
            throw new UsageException("a backing file makes no sense for several images one behind the other");
        }
        if (arguments.has("--target-is-zero") && (!arguments.has("-n") || overlay)) {
            throw new UsageException("--target-is-zero is for an image that is there (-n), without a backing file");
        }
        requireCompressible(arguments, qcow2, asked);
        if (arguments.has("-n")) {
            requireOther(target, arguments);
            boolean zeroed = arguments.has("--target-is-zero");
            OpenOptions options = ReadingOptions.of(arguments, new Warnings(arguments, io)).toBuilder()
                    .flushes(CacheModes.isDurable(arguments, "-t", true))
                    .build();
            copy(from, new ImageName(target), options, qcow2, copier(from, zeroed, overlay, arguments), arguments, io);
            return;
        }
        Path file = Arguments.file(target);
        // What is replaced is lost with the power if what replaces it has not reached the disk.
        boolean durable = CacheModes.isDurable(arguments, "-t", Files.exists(file));
        try (PartFile part = PartFile.create(file, arguments.has("--force"))) {
            create(part.path(), qcow2, asked, from.size());
            OpenOptions ours = OpenOptions.builder()
                    .references(ReferencePolicy.all())
                    .flushes(durable)
                    .build();
            copy(
                    from,
                    new ImageName(part.path().toString()),
                    ours,
                    qcow2,
                    copier(from, !overlay, overlay, arguments),
                    arguments,
                    io);
            part.commit(durable);
        }
    }

    /** What is read must not change meanwhile. */
    private static void requireOther(String target, Arguments arguments) throws IOException {
        if (NbdAddress.is(target) || !Files.exists(Arguments.path(target))) {
            return;
        }
        List<String> parameters = arguments.parameters();
        for (String source : parameters.subList(0, parameters.size() - 1)) {
            int colon = deviceColon(source);
            String file = colon > 0 ? source.substring(0, colon) : source;
            if (!NbdAddress.is(file)
                    && Files.exists(Arguments.path(file))
                    && Files.isSameFile(Arguments.path(file), Arguments.path(target))) {
                throw new UsageException("-n: " + target + " is source and target");
            }
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

    private static void requireBitmaps(BlockDevice from, boolean qcow2, Arguments arguments) throws IOException {
        if (!arguments.has("--bitmaps")) {
            if (arguments.has("--skip-broken-bitmaps")) {
                throw new UsageException("--skip-broken-bitmaps needs --bitmaps");
            }
            return;
        }
        if (!qcow2
                || !(from instanceof DiskImage image)
                || image.info().format().equals("raw")) {
            throw new UsageException("--bitmaps copies those of an image to a qcow2 image");
        }
        for (BitmapInfo bitmap : image.bitmaps()) {
            if (bitmap.inUse() && !arguments.has("--skip-broken-bitmaps")) {
                throw new DiskImageException(from.description() + ": bitmap " + Printable.quote(bitmap.name())
                        + " is in use: it was not saved properly; --skip-broken-bitmaps leaves it out");
            }
        }
    }

    /** Makes the image that is copied to. */
    static void create(Path file, boolean qcow2, CreateArguments asked, long size) throws IOException {
        if (qcow2) {
            Qcow2.create(file, asked.toOptions(size).toBuilder().overwrite(true).build());
            return;
        }
        try (Storage storage = Storages.open(file, true)) {
            storage.setSize(size);
            if (asked.fillsRaw()) {
                storage.writeZeroes(0, size, ZeroMode.KEEP_ALLOCATION);
            }
        }
    }

    private static Copier copier(BlockDevice from, boolean zeroed, boolean overlay, Arguments arguments) {
        Copier copier = ImageName.copier(from, arguments)
                .targetIsZeroed(zeroed)
                .topOnly(overlay)
                .inOrder(!arguments.has("-W"));
        setThreads(copier, arguments);
        String sparse = arguments.value("-S");
        if (sparse == null) {
            return copier;
        }
        long bytes = ByteCount.parse("-S", sparse);
        if (bytes % 512 != 0 || bytes > 16 << 20) {
            throw new UsageException("-S " + sparse + " is no multiple of 512 up to 16M; 0 writes zeros too");
        }
        return bytes == 0 ? copier.sparse(false) : copier.zeroBlock((int) bytes);
    }

    private static void setThreads(Copier copier, Arguments arguments) {
        String text = arguments.value("-m");
        if (text == null) {
            return;
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
        copier.threads(threads).writers(severalWrite ? threads : 1);
    }

    private static void copy(
            BlockDevice from,
            ImageName target,
            OpenOptions options,
            boolean qcow2,
            Copier copier,
            Arguments arguments,
            Stdio io)
            throws IOException {
        OpenOptions writable = options.toBuilder()
                .format(qcow2 ? "qcow2" : "raw")
                .writable(true)
                .build();
        try (DiskImage to = target.open(writable)) {
            if (to.size() < from.size()) {
                throw new UsageException("the target has " + to.size() + " bytes, the source " + from.size());
            }
            if (!arguments.has("-S")) {
                copier.zeroBlock(zeroBlock(to, !arguments.has("-n")));
            }
            BlockDevice writing = arguments.has("-c") ? ((Qcow2Disk) to).compressing() : to;
            copyShown(writing, copier, arguments, io);
            if (arguments.has("--bitmaps") && from instanceof DiskImage source && to instanceof Qcow2Disk disk) {
                Qcow2.copyBitmaps(source, disk);
            }
            to.flush();
        }
    }

    /** As fine as qemu-img looks, but for what has a place as a whole, and where holes have to be made. */
    static int zeroBlock(DiskImage to, boolean isNew) {
        Long clusterSize = to.info().clusterSize();
        if (clusterSize == null) {
            return isNew ? FINEST_ZERO_BLOCK : COARSEST_ZERO_BLOCK;
        }
        boolean subclusters = Boolean.TRUE.equals(to.info().formatSpecific().get("extended-l2"));
        long place = subclusters ? clusterSize / SUBCLUSTERS : clusterSize;
        return (int) Math.max(FINEST_ZERO_BLOCK, Math.min(COARSEST_ZERO_BLOCK, place));
    }

    private static void copyShown(BlockDevice to, Copier copier, Arguments arguments, Stdio io) throws IOException {
        boolean bar = !arguments.has("--quiet") && (arguments.has("-p") || io.isErrorTerminal());
        Progress.show(
                bar,
                "convert",
                progress -> copier.onProgress(RateLimit.of(arguments, progress)).to(to));
    }
}
