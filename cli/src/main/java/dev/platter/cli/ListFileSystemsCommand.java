package dev.platter.cli;

import dev.platter.core.Printable;
import dev.platter.inspect.ImageInspector;
import java.io.IOException;
import java.util.Map;
import picocli.CommandLine.Model.CommandSpec;

/** {@code platter list-filesystems}: what {@code guestfish} prints. */
final class ListFileSystemsCommand implements Command {

    @Override
    public void describe(CommandSpec spec) {
        ReadingOptions.add(spec);
        Model.parameters(spec, "IMAGE", "1..*", "the disks of one guest, in order");
        Model.help(
                spec,
                "Lists what can hold a file system with its type, as guestfish does; \"unknown\" where none is recognised.",
                Inspections.exitCodes(),
                "platter list-filesystems guest.qcow2");
    }

    @Override
    public int run(Arguments arguments, Stdio io) throws IOException {
        try (ImageInspector inspector = Inspections.open(arguments)) {
            TextOutput out = new TextOutput(io.out());
            for (Map.Entry<String, String> entry : inspector.listFileSystems().entrySet()) {
                out.text(Printable.escape(entry.getKey()))
                        .ascii(": ")
                        .text(Printable.escape(entry.getValue()))
                        .ascii("\n");
            }
            out.flush();
            return Inspections.finish(inspector, arguments, io, true);
        }
    }
}
