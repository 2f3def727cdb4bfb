package dev.platter.cli;

import dev.platter.core.OpenOptions;
import dev.platter.qcow2.Qcow2;
import java.io.IOException;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import picocli.CommandLine.Model.CommandSpec;

/** {@code platter rebase}: another backing file, as {@code qemu-img rebase}. QEMU: qemu-img.c, img_rebase. */
final class RebaseCommand implements Command {

    @Override
    public void describe(CommandSpec spec) {
        Model.value(
                spec, "FILE", "the new backing file, as it is stored in the image; \"\" for none", "-b", "--backing");
        Model.choice(spec, "FORMAT", "the format of the new backing file", List.of("raw", "qcow2"), "-F");
        Model.flag(spec, "unsafe: change the name only, open neither the old nor the new file", "-u");
        Model.flag(spec, "show the progress", "-p");
        CacheModes.add(spec, "-t", "-T");
        ReadingOptions.add(spec);
        Model.parameters(spec, "IMAGE", "1", "the overlay");
        Map<String, String> codes = new LinkedHashMap<>();
        codes.put("0", "the image has that backing file");
        codes.put("1", "error; what the guest sees is as it was");
        codes.put("2", "usage");
        Model.help(
                spec,
                "Gives an overlay another backing file. What the guest sees stays the same: where the files differ, the"
                        + " overlay gets the old bytes.",
                codes,
                "platter rebase --allow-references . -b base2.qcow2 -F qcow2 overlay.qcow2",
                "platter rebase --allow-references . -b \"\" overlay.qcow2",
                "platter rebase -u -b ../moved/base.qcow2 -F qcow2 overlay.qcow2");
    }

    @Override
    public int run(Arguments arguments, Stdio io) throws IOException {
        CacheModes.check(arguments, "-t", "-T");
        String name = arguments.value("-b");
        if (name == null) {
            throw new UsageException("-b FILE is needed; -b \"\" makes the image stand alone");
        }
        String format = arguments.value("-F");
        if (!name.isEmpty() && format == null) {
            throw new UsageException("a backing file needs its format: -F raw or -F qcow2");
        }
        String stored = name.isEmpty() ? null : name;
        String storedFormat = name.isEmpty() ? null : format;
        Path file = arguments.file();
        if (arguments.has("-u")) {
            Qcow2.rebaseUnsafely(file, stored, storedFormat);
        } else {
            OpenOptions options = ReadingOptions.of(arguments, new Warnings(arguments, io));
            Progress.show(arguments, "rebase", progress -> Qcow2.rebase(file, options, stored, storedFormat, progress));
        }
        return ExitCode.WHOLE;
    }
}
