package dev.platter.cli;

import dev.platter.core.OpenOptions;
import dev.platter.qcow2.CommitOptions;
import dev.platter.qcow2.Qcow2;
import java.io.IOException;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.Map;
import picocli.CommandLine.Model.CommandSpec;

/** {@code platter commit}: an overlay into its backing file, as {@code qemu-img commit}. QEMU: qemu-img.c, img_commit. */
final class CommitCommand implements Command {

    @Override
    public void describe(CommandSpec spec) {
        Model.value(
                spec,
                "BASE",
                "the image of the backing chain that is written to, not the one right below; the overlay is not emptied",
                "-b");
        Model.flag(spec, "do not empty the overlay", "-d");
        Model.value(spec, "RATE", "bytes a second at most", "-r");
        Model.flag(spec, "show the progress", "-p");
        CacheModes.add(spec, "-t");
        ReadingOptions.add(spec);
        Model.parameters(spec, "IMAGE", "1", "the overlay");
        Map<String, String> codes = new LinkedHashMap<>();
        codes.put("0", "the backing file has the bytes, the overlay is empty");
        codes.put("1", "error; what the guest sees is as it was");
        codes.put("2", "usage");
        Model.help(
                spec,
                "Writes what an overlay holds into its backing file and empties the overlay. Other overlays of that backing"
                        + " file see their bytes change.",
                codes,
                "platter commit --allow-references . overlay.qcow2");
    }

    @Override
    public int run(Arguments arguments, Stdio io) throws IOException {
        OpenOptions options = ReadingOptions.of(arguments, new Warnings(arguments, io));
        CacheModes.check(arguments, "-t");
        CommitOptions.Builder how = CommitOptions.builder().keepOverlay(arguments.has("-d"));
        String base = arguments.value("-b");
        if (base != null) {
            how.base(base);
        }
        Path file = arguments.file();
        Progress.show(
                arguments,
                "commit",
                progress -> Qcow2.commit(
                        file,
                        options,
                        how.onProgress(RateLimit.of(arguments, progress)).build()));
        if (!arguments.has("--quiet")) {
            io.print("Image committed.\n");
        }
        return ExitCode.WHOLE;
    }
}
