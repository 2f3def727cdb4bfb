package dev.platter.cli;

import dev.platter.core.DiskImage;
import dev.platter.core.DiskImageException;
import dev.platter.core.ImageInfo;
import dev.platter.core.OpenOptions;
import dev.platter.core.ReferenceRefusedException;
import dev.platter.core.SnapshotInfo;
import dev.platter.inspect.ImageReport;
import java.io.IOException;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Model.CommandSpec;

/** {@code platter info}: what {@code qemu-img info} prints. */
final class InfoCommand implements Command {

    @Override
    public void describe(CommandSpec spec) {
        Model.output(spec);
        Model.flag(spec, "also the images below, as far as --allow-references lets them be opened", "--backing-chain");
        ReadingOptions.add(spec);
        Model.parameters(spec, "IMAGE", "1", "the image");
        Map<String, String> codes = new LinkedHashMap<>();
        codes.put("0", "whole; without --backing-chain nothing below the image is needed");
        codes.put("1", "error; with --backing-chain also when an image below is missing or damaged");
        codes.put("2", "usage");
        codes.put("3", "with --backing-chain: an image below may not be opened; what is known is shown");
        Model.help(
                spec,
                "Shows what an image says of itself, as qemu-img does.",
                codes,
                "platter info --output=json guest.qcow2",
                "platter info --backing-chain --allow-references . guest.qcow2");
    }

    @Override
    public int run(Arguments arguments, Stdio io) throws IOException {
        boolean json = arguments.choice("--output", "human", "human", "json").equals("json");
        boolean chain = arguments.has("--backing-chain");
        ImageName name = arguments.images().get(0);
        Warnings warnings = new Warnings(arguments, io);
        OpenOptions options = ReadingOptions.of(arguments, name.onOpening(warnings));
        try (DiskImage image = name.open(options)) {
            List<ImageReport> reports = chain ? ImageReport.chainOf(image) : List.of(ImageReport.of(image));
            String snapshot = arguments.value("--snapshot");
            if (snapshot != null) {
                reports = List.of(atSnapshot(image, snapshot));
            }
            DiskImageException missing = chain ? missingBelow(image) : null;
            if (missing != null && !(missing instanceof ReferenceRefusedException)) {
                throw missing;
            }
            if (!json) {
                new InfoText(io).print(reports);
            } else if (chain) {
                ImageReport.writeJson(reports, io.out());
            } else {
                reports.get(0).writeJson(io.out());
            }
            if (!arguments.has("--quiet")) {
                image.warnings().forEach(warnings);
                image.problems().stream()
                        .filter(problem -> problem != missing)
                        .forEach(problem -> io.warning(Failures.text(problem)));
            }
            if (missing != null) {
                io.message(Failures.text(missing));
                return ExitCode.PARTIAL;
            }
            return ExitCode.WHOLE;
        }
    }

    private static ImageReport atSnapshot(DiskImage image, String name) throws IOException {
        image.openSnapshot(name).close();
        List<SnapshotInfo> snapshots = image.snapshots();
        SnapshotInfo chosen = snapshots.stream()
                .filter(snapshot -> snapshot.id().equals(name))
                .findFirst()
                .or(() -> snapshots.stream()
                        .filter(snapshot -> snapshot.name().equals(name))
                        .findFirst())
                .orElseThrow(() -> new IllegalStateException("the snapshot has gone"));
        ImageInfo info = image.info();
        return new ImageReport(
                new ImageInfo(
                        info.filename(),
                        info.format(),
                        chosen.diskSize(),
                        info::actualSize,
                        info.clusterSize(),
                        info.encrypted(),
                        info.dirty(),
                        info.backingFilename(),
                        info.fullBackingFilename(),
                        info.backingFormat(),
                        info.formatSpecific()),
                List.of(chosen));
    }

    /** Returns why the last image of the chain has no image below although it names one; null if all are there. */
    private static @Nullable DiskImageException missingBelow(DiskImage image) {
        DiskImage last = image;
        for (DiskImage below = image; below != null; below = below.backing()) {
            last = below;
        }
        if (last.info().backingFilename() == null) {
            return null;
        }
        String name = last.description() + ": backing file";
        for (DiskImageException problem : last.problems()) {
            if (String.valueOf(problem.getMessage()).startsWith(name)) {
                return problem;
            }
        }
        return last.problems().isEmpty() ? null : last.problems().get(0);
    }
}
