package dev.platter.cli;

import dev.platter.core.OpenOptions;
import dev.platter.inspect.ImageInspector;
import java.io.IOException;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/** What the commands that look inside images have in common. */
final class Inspections {
    private static final int MOST_WARNINGS = 100;

    private Inspections() {}

    static ImageInspector open(Arguments arguments) throws IOException {
        // warnings are kept by the inspector
        return open(arguments.images(), ReadingOptions.of(arguments, warning -> {}), arguments.value("--snapshot"));
    }

    static ImageInspector open(List<ImageName> images, OpenOptions options, @Nullable String snapshot)
            throws IOException {
        List<ImageInspector.DiskOpener> disks = new ArrayList<>();
        for (ImageName image : images) {
            disks.add(image::open);
        }
        return ImageInspector.openAll(disks, options, snapshot);
    }

    static Map<String, String> exitCodes() {
        Map<String, String> codes = new LinkedHashMap<>();
        codes.put("0", "whole; there may be warnings");
        codes.put("1", "error");
        codes.put("2", "usage");
        codes.put("3", "partial: shown, but something that an image names or contains could not be opened or read");
        return codes;
    }

    /** Says on standard error what is odd and what could not be read, and returns the exit code. */
    static int finish(ImageInspector inspector, Arguments arguments, Stdio io, boolean withWarnings) {
        if (withWarnings && !arguments.has("--quiet")) {
            List<String> warnings = inspector.warnings();
            for (String warning : warnings.subList(0, Math.min(MOST_WARNINGS, warnings.size()))) {
                io.warning(warning);
            }
            if (warnings.size() > MOST_WARNINGS) {
                io.warning("and " + (warnings.size() - MOST_WARNINGS) + " more warnings");
            }
        }
        List<String> problems = inspector.problems();
        for (String problem : problems.subList(0, Math.min(MOST_WARNINGS, problems.size()))) {
            io.message(problem);
        }
        if (problems.size() > MOST_WARNINGS) {
            io.message("and " + (problems.size() - MOST_WARNINGS) + " more problems");
        }
        return problems.isEmpty() ? ExitCode.WHOLE : ExitCode.PARTIAL;
    }
}
