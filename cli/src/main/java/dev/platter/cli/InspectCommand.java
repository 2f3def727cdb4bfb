package dev.platter.cli;

import dev.platter.inspect.ImageInspector;
import dev.platter.inspect.InspectionReport;
import java.io.IOException;
import picocli.CommandLine.Model.CommandSpec;

/** {@code platter inspect}: everything inside the images of one guest. */
final class InspectCommand implements Command {

    @Override
    public void describe(CommandSpec spec) {
        Model.flag(spec, "print JSON; sizes and offsets are bytes", "--json");
        ReadingOptions.add(spec);
        Model.parameters(spec, "IMAGE", "1..*", "the disks of one guest, in order: /dev/sda, /dev/sdb ...");
        Model.help(
                spec,
                "Shows partitions, LVM2 volumes and file systems.",
                Inspections.exitCodes(),
                "platter inspect guest.qcow2",
                "platter inspect --json --allow-references . disk1.qcow2 disk2.qcow2");
    }

    @Override
    public int run(Arguments arguments, Stdio io) throws IOException {
        boolean json = arguments.has("--json");
        try (ImageInspector inspector = Inspections.open(arguments)) {
            InspectionReport report = inspector.report();
            if (json) {
                report.writeJson(io.out());
            } else {
                new InspectionTree(inspector).print(io);
            }
            return Inspections.finish(inspector, arguments, io, !json);
        }
    }
}
