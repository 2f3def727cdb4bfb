package dev.platter.cli;

import dev.platter.core.BlockDevice;
import dev.platter.core.Comparison;
import dev.platter.core.DiskImage;
import dev.platter.core.DiskImages;
import dev.platter.core.OpenOptions;
import java.io.IOException;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.OptionalLong;
import picocli.CommandLine.Model.CommandSpec;

/** {@code platter compare}: whether two disks hold the same bytes, as {@code qemu-img compare}. */
final class CompareCommand implements Command {

    @Override
    public void describe(CommandSpec spec) {
        Model.choice(spec, "FORMAT", "format of the second image", List.of("raw", "qcow2"), "-F");
        Model.flag(spec, "strict: disks of different sizes differ", "-s");
        ReadingOptions.add(spec);
        Model.parameters(spec, "IMAGE IMAGE", "2..*", "the images");
        Map<String, String> codes = new LinkedHashMap<>();
        codes.put("0", "the bytes are the same");
        codes.put("1", "they differ");
        codes.put("2", "error, usage: see standard error");
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
            return compare(first, second, arguments, io);
        } catch (IOException e) {
            // 1 says that the disks differ
            io.message(Failures.text(e));
            return ExitCode.USAGE;
        }
    }

    private static int compare(BlockDevice first, BlockDevice second, Arguments arguments, Stdio io)
            throws IOException {
        boolean quiet = arguments.has("--quiet");
        if (first.size() != second.size()) {
            if (arguments.has("-s")) {
                io.print(quiet ? "" : "Strict mode: Image size mismatch!\n");
                return ExitCode.ERROR;
            }
            if (!quiet) {
                io.message("warning: the disks have " + first.size() + " and " + second.size() + " bytes");
            }
        }
        OptionalLong difference = Comparison.firstDifference(first, second);
        if (difference.isPresent()) {
            io.print(quiet ? "" : "Content mismatch at offset " + difference.getAsLong() + "!\n");
            return ExitCode.ERROR;
        }
        io.print(quiet ? "" : "Images are identical.\n");
        return ExitCode.WHOLE;
    }
}
