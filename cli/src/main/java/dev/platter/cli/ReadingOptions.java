package dev.platter.cli;

import dev.platter.core.OpenOptions;
import dev.platter.core.ReferencePolicy;
import dev.platter.core.Warning;
import java.nio.file.Path;
import java.util.List;
import java.util.function.Consumer;
import picocli.CommandLine.Model.CommandSpec;

/** The options of every command that reads images. */
final class ReadingOptions {

    private ReadingOptions() {}

    static void add(CommandSpec spec) {
        Model.choice(
                spec,
                "FORMAT",
                "format of the images, raw or qcow2; found out if not given",
                List.of("raw", "qcow2"),
                "-f",
                "--format");
        Model.value(spec, "NAME", "show the disks as they were at an internal snapshot (id or name)", "--snapshot");
        Model.choice(
                spec,
                "BYTES",
                "sector size of the disks, 512 or 4096, for tables that do not tell",
                List.of("512", "4096"),
                "--sector-size");
        Model.values(
                spec, "DIR", "let backing and data files under DIR be opened; can be repeated", "--allow-references");
        Model.flag(spec, "find out the format of backing files that are stated without one", "--allow-probing");
        Model.choice(
                spec,
                "HOW",
                "what reads beyond the end of a truncated file do: refuse (the default), or zeros, with a warning",
                List.of("refuse", "zeros"),
                "--truncated");
        Model.flag(spec, "accepted, without effect: readers lock nothing", "-U", "--force-share");
        Model.flag(spec, "no warnings, no progress", "-q", "--quiet");
    }

    /** Returns what {@link OpenOptions} the command line asks for. */
    static OpenOptions of(Arguments arguments, Consumer<? super Warning> onWarning) {
        OpenOptions.Builder options = OpenOptions.builder()
                .format(arguments.value("-f"))
                .sectorSize(Integer.parseInt(arguments.choice("--sector-size", "0", "512", "4096")))
                .probeBackingFormat(arguments.has("--allow-probing"))
                .onWarning(onWarning);
        if (arguments.choice("--truncated", "refuse", "refuse", "zeros").equals("zeros")) {
            options.truncatedFile(OpenOptions.TruncatedFile.ZEROS);
        }
        List<String> folders = arguments.values("--allow-references");
        if (!folders.isEmpty()) {
            Path[] paths = new Path[folders.size()];
            for (int i = 0; i < paths.length; i++) {
                paths[i] = Arguments.path(folders.get(i));
            }
            options.references(ReferencePolicy.under(paths));
        }
        return options.build();
    }
}
