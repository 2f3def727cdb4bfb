package dev.platter.cli;

import dev.platter.core.BlockDevice;
import dev.platter.core.Comparison;
import dev.platter.core.DiskImage;
import dev.platter.core.Extent;
import dev.platter.core.Extents;
import dev.platter.core.OpenOptions;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.util.Iterator;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.OptionalLong;
import picocli.CommandLine.Model.CommandSpec;

/** {@code platter compare}: whether two disks hold the same bytes, as {@code qemu-img compare}. */
final class CompareCommand implements Command {
    private static final int STATUS = Extent.ALLOCATED | Extent.READS_AS_ZERO | Extent.COMPRESSED;
    private static final int LOOKED_AT = 1 << 20;

    private static final int NO_STATUS = 3;
    private static final int NOT_READ = 4;

    @Override
    public void describe(CommandSpec spec) {
        Model.choice(spec, "FORMAT", "format of the second image", List.of("raw", "qcow2"), "-F");
        Model.flag(
                spec,
                "strict: disks of different sizes differ, and so do those of which different parts are allocated",
                "-s");
        Model.flag(spec, "show the progress", "-p");
        CacheModes.add(spec, "-T");
        ReadingOptions.add(spec);
        Model.parameters(spec, "IMAGE IMAGE", "1..*", "the images");
        Map<String, String> codes = new LinkedHashMap<>();
        codes.put("0", "the bytes are the same");
        codes.put("1", "they differ");
        codes.put("2", "an image cannot be opened, or usage: see standard error");
        codes.put("3", "where the bytes of an image lie cannot be found out, or not be reached");
        codes.put("4", "bytes of an image cannot be read");
        Model.help(
                spec,
                "Compares the bytes of two disks. Where one is shorter, the other must have zeros.",
                codes,
                "platter compare guest.raw guest.qcow2");
    }

    @Override
    public int run(Arguments arguments, Stdio io) throws IOException {
        List<ImageName> images = arguments.images();
        if (images.size() != 2) {
            throw new UsageException("two images are needed");
        }
        OpenOptions options = ReadingOptions.of(arguments, new Warnings(arguments, io));
        OpenOptions other = options.toBuilder().format(arguments.value("-F")).build();
        try (DiskImage first = images.get(0).open(options);
                DiskImage second = images.get(1).open(other)) {
            CacheModes.check(arguments, "-T");
            return arguments.has("-s")
                    ? compareStrictly(first, second, arguments, io)
                    : compare(first, second, arguments, io);
        } catch (OutputException e) {
            if (!e.isClosedPipe()) {
                io.message("standard output: " + Failures.text(e.failure()));
            }
            return ExitCode.USAGE;
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

    /**
     * Returns the first byte that is data, compressed, zeros or nothing, with or without a place, in one disk and another of
     * these in the other; -1 if there is none in front of what cannot be told.
     */
    private static long firstStatusDifference(BlockDevice first, BlockDevice second) throws IOException {
        Iterator<Extent> others = Extents.iterate(second).iterator();
        Extent[] other = {null};
        long[] found = {-1};
        boolean[] goOn = {true};
        try {
            Extents.forEach(first, 0, first.size(), extent -> {
                for (long at = extent.offset(); at < extent.end() && goOn[0]; ) {
                    while (other[0] == null || other[0].end() <= at) {
                        other[0] = others.next();
                    }
                    if (extent.unreadable() || other[0].unreadable()) {
                        goOn[0] = false;
                    } else if (!hasSameStatus(extent, other[0])) {
                        found[0] = at;
                        goOn[0] = false;
                    }
                    at = Math.min(extent.end(), other[0].end());
                }
                return goOn[0];
            });
        } catch (UncheckedIOException e) {
            throw e.getCause();
        }
        return found[0];
    }

    private static boolean hasSameStatus(Extent one, Extent other) {
        return ((one.facts() ^ other.facts()) & STATUS) == 0 && (one.below() == null) == (other.below() == null);
    }

    private static int compare(BlockDevice first, BlockDevice second, Arguments arguments, Stdio io)
            throws IOException {
        boolean quiet = arguments.has("--quiet");
        if (first.size() != second.size() && !quiet) {
            io.message("warning: the disks have " + first.size() + " and " + second.size() + " bytes");
        }
        OptionalLong[] difference = {OptionalLong.empty()};
        long[] same = {0};
        try {
            Progress.show(
                    arguments,
                    "compare",
                    progress -> difference[0] = Comparison.firstDifference(first, second, (done, total) -> {
                        same[0] = done;
                        return progress.copied(done, total);
                    }));
        } catch (IOException e) {
            io.message(Failures.text(e));
            return isMapped(first, same[0]) && isMapped(second, same[0]) ? NOT_READ : NO_STATUS;
        }
        if (difference[0].isPresent()) {
            io.print(quiet ? "" : "Content mismatch at offset " + difference[0].getAsLong() + "!\n");
            return ExitCode.ERROR;
        }
        io.print(quiet ? "" : "Images are identical.\n");
        return ExitCode.WHOLE;
    }

    /** Returns whether a disk tells where its bytes lie, from an offset on as far as they are read together. */
    private static boolean isMapped(BlockDevice device, long from) {
        boolean[] mapped = {true};
        long start = Math.min(from, device.size());
        try {
            device.extents(
                    start,
                    Math.min(LOOKED_AT, device.size() - start),
                    (offset, length, facts, depth, below, belowOffset) -> {
                        mapped[0] = (facts & Extent.UNREADABLE) == 0;
                        return mapped[0];
                    });
        } catch (IOException e) {
            return false;
        }
        return mapped[0];
    }
}
