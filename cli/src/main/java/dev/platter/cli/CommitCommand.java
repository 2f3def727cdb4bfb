package dev.platter.cli;

import dev.platter.core.OpenOptions;
import dev.platter.qcow2.Qcow2;
import java.io.IOException;
import java.util.LinkedHashMap;
import java.util.Map;
import picocli.CommandLine.Model.CommandSpec;

/** {@code platter commit}: an overlay into its backing file, as {@code qemu-img commit}. QEMU: qemu-img.c, img_commit. */
final class CommitCommand implements Command {

    @Override
    public void describe(CommandSpec spec) {
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
        Qcow2.commit(arguments.images().get(0), options);
        if (!arguments.has("--quiet")) {
            io.print("Image committed.\n");
        }
        return ExitCode.WHOLE;
    }
}
