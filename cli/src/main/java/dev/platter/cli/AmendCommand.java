package dev.platter.cli;

import dev.platter.core.DiskImage;
import dev.platter.core.DiskImages;
import dev.platter.core.ImageInfo;
import dev.platter.core.OpenOptions;
import dev.platter.qcow2.AmendOptions;
import dev.platter.qcow2.Qcow2;
import java.io.IOException;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Objects;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Model.CommandSpec;

/** {@code platter amend}: other features for an image, as {@code qemu-img amend}. QEMU: qemu-img.c, img_amend. */
final class AmendCommand implements Command {

    @Override
    public void describe(CommandSpec spec) {
        Model.values(
                spec,
                "OPTIONS",
                "name=value,...: compat, refcount_bits, lazy_refcounts, data_file, data_file_raw=off, size",
                "-o");
        Model.flag(spec, "accepted, without effect: it is for encrypted images", "--force");
        Model.flag(spec, "show the progress", "-p");
        CacheModes.add(spec, "-t");
        ReadingOptions.add(spec);
        Model.parameters(spec, "IMAGE", "1", "the image");
        Map<String, String> codes = new LinkedHashMap<>();
        codes.put("0", "the image has these features");
        codes.put("1", "error; nothing was written, or what was done is whole");
        codes.put("2", "usage");
        Model.help(
                spec,
                "Changes version and features of an image that nobody else uses. Also if the power goes meanwhile, the image"
                        + " opens as it was or as it is to be.",
                codes,
                "platter amend -o compat=1.1,lazy_refcounts=on guest.qcow2",
                "platter amend -o refcount_bits=64 guest.qcow2");
    }

    @Override
    public int run(Arguments arguments, Stdio io) throws IOException {
        CacheModes.check(arguments, "-t");
        CreateArguments asked = new CreateArguments(arguments.values("-o"));
        if (asked.isEmpty()) {
            throw new UsageException("-o OPTIONS is needed: platter amend -o compat=1.1 guest.qcow2");
        }
        AmendOptions to = asked.toAmendment();
        Path file = arguments.file();
        OpenOptions options = ReadingOptions.of(arguments, new Warnings(arguments, io));
        try (DiskImage image = DiskImages.open(file, options)) {
            ImageInfo info = image.info();
            if (!info.format().equals("qcow2")) {
                throw new UsageException(file + " is a " + info.format() + " image, which has nothing to amend");
            }
            requireSame("backing_file", asked, info.backingFilename());
            requireSame("backing_fmt", asked, info.backingFormat());
        }
        Progress.show(arguments, "amend", progress -> Qcow2.amend(file, options, to, progress));
        return ExitCode.WHOLE;
    }

    private static void requireSame(String name, CreateArguments asked, @Nullable String now) {
        String wanted = asked.get(name);
        if (wanted != null && !Objects.equals(wanted, now)) {
            throw new UsageException("-o " + name + ": the backing file is changed by platter rebase");
        }
    }
}
