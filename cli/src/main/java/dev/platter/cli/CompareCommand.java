package dev.platter.cli;

import dev.platter.core.BlockDevice;
import dev.platter.core.Comparison;
import dev.platter.core.DiskImage;
import dev.platter.core.DiskImages;
import dev.platter.core.Extent;
import dev.platter.core.Extents;
import dev.platter.core.OpenOptions;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Path;
import java.util.Iterator;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.OptionalLong;
import picocli.CommandLine.Model.CommandSpec;

/** {@code platter compare}: whether two disks hold the same bytes, as {@code qemu-img compare}. */
final class CompareCommand implements Command {
    private static final int STATUS = Extent.ALLOCATED | Extent.READS_AS_ZERO;

    private static final int NO_STATUS = 3;
    private static final int NOT_READ = 4;

    @Override
    public void describe(CommandSpec spec) {
        Model.choice(spec, "FORMAT", "format of the second image", List.of("raw", "qcow2"), "-F");
        Model.flag(
                spec,
                "strict: disks of different sizes differ, and so do those of which different parts are allocated",
                "-s");
        Model.flag(spec, "accepted, without effect", "-p");
        CacheModes.add(spec, "-T");
        ReadingOptions.add(spec);
        Model.parameters(spec, "IMAGE IMAGE", "2..*", "the images");
        Map<String, String> codes = new LinkedHashMap<>();
        codes.put("0", "the bytes are the same");
        codes.put("1", "they differ");
        codes.put("2", "an image cannot be opened, or usage: see standard error");
        codes.put("3", "what is allocated cannot be found out");
        codes.put("4", "an image cannot be read");
        Model.help(
                spec,
                "Compares the bytes of two disks. Where one is shorter, the other must have zeros.",
                codes,
                "platter compare guest.raw guest.qcow2");
    }

    @Override
    public int run(Arguments arguments, Stdio io) throws IOException {
        List<Path> images = arguments.images();
        if (images.size() != 2) {
            throw new UsageException("two images are needed");
        }
        OpenOptions options = ReadingOptions.of(arguments, new Warnings(arguments, io));
        OpenOptions other = options.toBuilder().format(arguments.value("-F")).build();
        try (DiskImage first = DiskImages.open(images.get(0), options);
                DiskImage second = DiskImages.open(images.get(1), other)) {
            CacheModes.check(arguments, "-T");
            return arguments.has("-s")
                    ? compareStrictly(first, second, arguments, io)
                    : compare(first, second, arguments, io);
        } catch (IOException e) {
            // 1 says that the disks differ
            io.message(Failures.text(e));
            return ExitCode.USAGE;
        }
    }

    private static int compareStrictly(BlockDevice first, BlockDevice second, Arguments arguments, Stdio io)
            throws IOException {
        boolean quiet = arguments.has("--quiet");
        if (first.size() != second.size()) {
            io.print(quiet ? "" : "Strict mode: Image size mismatch!\n");
            return ExitCode.ERROR;
        }
        long difference;
        try {
            difference = firstStatusDifference(first, second);
        } catch (IOException e) {
            io.message(Failures.text(e));
            return NO_STATUS;
        }
        if (difference >= 0) {
            io.print(quiet ? "" : "Strict mode: Offset " + difference + " block status mismatch!\n");
            return ExitCode.ERROR;
        }
        return compare(first, second, arguments, io);
    }

    /** Returns the first byte that is data, zeros or nothing in one disk and another of these in the other, or -1. */
    private static long firstStatusDifference(BlockDevice first, BlockDevice second) throws IOException {
        Iterator<Extent> others = Extents.iterate(second).iterator();
        Extent[] other = {null};
        long[] found = {-1};
        try {
            Extents.forEach(first, 0, first.size(), extent -> {
                for (long at = extent.offset(); at < extent.end() && found[0] < 0; ) {
                    while (other[0] == null || other[0].end() <= at) {
                        other[0] = others.next();
                    }
                    if (((extent.facts() ^ other[0].facts()) & STATUS) != 0) {
                        found[0] = at;
                    }
                    at = Math.min(extent.end(), other[0].end());
                }
                return found[0] < 0;
            });
        } catch (UncheckedIOException e) {
            throw e.getCause();
        }
        return found[0];
    }

    private static int compare(BlockDevice first, BlockDevice second, Arguments arguments, Stdio io)
            throws IOException {
        boolean quiet = arguments.has("--quiet");
        if (first.size() != second.size() && !quiet) {
            io.message("warning: the disks have " + first.size() + " and " + second.size() + " bytes");
        }
        OptionalLong difference;
        try {
            difference = Comparison.firstDifference(first, second);
        } catch (IOException e) {
            io.message(Failures.text(e));
            return NOT_READ;
        }
        if (difference.isPresent()) {
            io.print(quiet ? "" : "Content mismatch at offset " + difference.getAsLong() + "!\n");
            return ExitCode.ERROR;
        }
        io.print(quiet ? "" : "Images are identical.\n");
        return ExitCode.WHOLE;
    }
}
