package dev.platter.cli;

import dev.platter.core.CheckListener;
import dev.platter.core.CheckReport;
import dev.platter.core.DiskImage;
import dev.platter.core.OpenOptions;
import dev.platter.qcow2.Qcow2;
import java.io.IOException;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Model.CommandSpec;

/** {@code platter check}: what {@code qemu-img check} prints, with its exit codes. QEMU: qemu-img.c, img_check. */
final class CheckCommand implements Command {
    private static final int MOST_FINDINGS = 100;

    @Override
    public void describe(CommandSpec spec) {
        Model.output(spec);
        Model.choice(
                spec,
                "WHAT",
                "repair the image, which nobody else may use: leaks frees clusters that nobody uses, all makes the"
                        + " refcounts anew",
                List.of("leaks", "all"),
                "-r",
                "--repair");
        CacheModes.add(spec, "-T");
        ReadingOptions.add(spec);
        Model.parameters(spec, "IMAGE", "1", "the image");
        Map<String, String> codes = new LinkedHashMap<>();
        codes.put("0", "no errors were found");
        codes.put("1", "the check could not be done, or not all of it");
        codes.put("2", "the image is corrupt (or: usage, see standard error)");
        codes.put("3", "clusters are leaked, nothing worse");
        codes.put("63", "this format has no checks");
        Model.help(
                spec,
                "Compares an image's own accounts with what is there, as qemu-img check does. It covers all snapshots, and"
                        + " only reads unless it is to repair.",
                codes,
                "platter check guest.qcow2",
                "platter check --output=json guest.qcow2",
                "platter check -r all guest.qcow2");
    }

    @Override
    public int run(Arguments arguments, Stdio io) throws IOException {
        boolean json = arguments.choice("--output", "human", "human", "json").equals("json");
        boolean quiet = arguments.has("--quiet");
        String repair = arguments.choice("--repair", "", "leaks", "all");
        CacheModes.check(arguments, "-T");
        ImageName name = arguments.images().get(0);
        OpenOptions options = ReadingOptions.of(arguments, name.onOpening(new Warnings(arguments, io)));
        Findings findings = new Findings(io);
        Qcow2.Repaired repaired = null;
        if (!repair.isEmpty()) {
            Path file = arguments.file();
            if (isCheckable(name, options)) {
                Qcow2.Repair scope = repair.equals("all") ? Qcow2.Repair.ALL : Qcow2.Repair.LEAKS;
                repaired = Qcow2.repair(file, options, scope, findings);
                if (!json && !quiet) {
                    printRepaired(repaired, io);
                }
            }
        }
        try (DiskImage image = name.open(options)) {
            String snapshot = arguments.value("--snapshot");
            if (snapshot != null) {
                image.openSnapshot(snapshot).close();
            }
            if (!image.isCheckable()) {
                io.message("This image format does not support checks");
                return ExitCode.NOT_CHECKABLE;
            }
            // what was repaired has just been checked
            CheckReport report = repaired == null ? image.check(findings) : repaired.after();
            findings.finish();
            if (json) {
                printJson(image, report, repaired, io);
            } else if (!quiet) {
                printText(report, io);
            }
            return exitCode(report, io);
        }
    }

    private static boolean isCheckable(ImageName name, OpenOptions options) throws IOException {
        try (DiskImage image = name.open(options)) {
            return image.isCheckable();
        }
    }

    private static long mendedLeaks(Qcow2.Repaired repaired) {
        return Math.max(0, repaired.before().leaks() - repaired.after().leaks());
    }

    private static long mendedCorruptions(Qcow2.Repaired repaired) {
        return Math.max(0, repaired.before().corruptions() - repaired.after().corruptions());
    }

    private static void printRepaired(Qcow2.Repaired repaired, Stdio io) throws IOException {
        long leaks = mendedLeaks(repaired);
        long corruptions = mendedCorruptions(repaired);
        if (leaks > 0 || corruptions > 0) {
            io.print("The following inconsistencies were found and repaired:\n\n    " + leaks + " leaked clusters\n    "
                    + corruptions + " corruptions\n\nDouble checking the fixed image now...\n");
        }
    }

    private static int exitCode(CheckReport report, Stdio io) {
        if (report.checkErrors() > 0) {
            io.message("Check failed");
            return ExitCode.ERROR;
        }
        if (report.corruptions() > 0) {
            return ExitCode.CORRUPT;
        }
        return report.leaks() > 0 ? ExitCode.LEAKS : ExitCode.WHOLE;
    }

    private static void printJson(DiskImage image, CheckReport report, Qcow2.@Nullable Repaired repaired, Stdio io)
            throws IOException {
        StringBuilder json = new StringBuilder("{\n");
        json.append("    \"filename\": ")
                .append(JsonLine.quote(image.info().filename()))
                .append(",\n");
        json.append("    \"format\": ")
                .append(JsonLine.quote(image.info().format()))
                .append(",\n");
        json.append("    \"check-errors\": ").append(report.checkErrors());
        member(json, "image-end-offset", report.imageEndOffset());
        member(json, "total-clusters", report.totalClusters());
        member(json, "allocated-clusters", report.allocatedClusters());
        member(json, "compressed-clusters", report.compressedClusters());
        member(json, "fragmented-clusters", report.fragmentedClusters());
        member(json, "corruptions", report.corruptions());
        member(json, "leaks", report.leaks());
        if (repaired != null) {
            member(json, "corruptions-fixed", mendedCorruptions(repaired));
            member(json, "leaks-fixed", mendedLeaks(repaired));
        }
        io.print(json.append("\n}\n").toString());
    }

    private static void member(StringBuilder json, String name, long value) {
        if (value != 0) {
            json.append(",\n    \"").append(name).append("\": ").append(value);
        }
    }

    private static void printText(CheckReport report, Stdio io) throws IOException {
        StringBuilder text = new StringBuilder();
        if (report.corruptions() == 0 && report.leaks() == 0 && report.checkErrors() == 0) {
            text.append("No errors were found on the image.\n");
        }
        if (report.corruptions() > 0) {
            text.append('\n')
                    .append(report.corruptions())
                    .append(" errors were found on the image.\n")
                    .append("Data may be corrupted, or further writes to the image may corrupt it.\n");
        }
        if (report.leaks() > 0) {
            text.append('\n')
                    .append(report.leaks())
                    .append(" leaked clusters were found on the image.\n")
                    .append("This means waste of disk space, but no harm to data.\n");
        }
        if (report.checkErrors() > 0) {
            text.append('\n').append(report.checkErrors()).append(" internal errors have occurred during the check.\n");
        }
        if (report.totalClusters() != 0 && report.allocatedClusters() != 0) {
            text.append(String.format(
                    Locale.ROOT,
                    "%d/%d = %s%% allocated, %s%% fragmented, %s%% compressed clusters\n",
                    report.allocatedClusters(),
                    report.totalClusters(),
                    Sizes.fixed(report.allocatedClusters() * 100.0 / report.totalClusters(), 2),
                    Sizes.fixed(report.fragmentedClusters() * 100.0 / report.allocatedClusters(), 2),
                    Sizes.fixed(report.compressedClusters() * 100.0 / report.allocatedClusters(), 2)));
        }
        if (report.imageEndOffset() != 0) {
            text.append("Image end offset: ").append(report.imageEndOffset()).append('\n');
        }
        io.print(text.toString());
    }

    /** Shows the first findings and counts the others. */
    private static final class Findings implements CheckListener {
        private final Stdio io;
        private long count;

        Findings(Stdio io) {
            this.io = io;
        }

        @Override
        public void finding(Kind kind, long offset, String text) {
            count++;
            if (count <= MOST_FINDINGS) {
                io.message(text);
            }
        }

        void finish() {
            if (count > MOST_FINDINGS) {
                io.message("and " + (count - MOST_FINDINGS) + " more");
            }
        }
    }
}
