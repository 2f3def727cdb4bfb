package dev.platter.qcow2;

import com.fasterxml.jackson.databind.JsonNode;
import dev.platter.core.CheckListener;
import dev.platter.core.CheckReport;
import dev.platter.core.DiskImage;
import dev.platter.core.DiskImageException;
import dev.platter.core.DiskImages;
import dev.platter.core.OpenOptions;
import dev.platter.core.ReferencePolicy;
import dev.platter.testkit.ReferenceTools;
import dev.platter.testkit.ToolResult;
import java.io.IOException;
import java.nio.file.Path;
import org.jspecify.annotations.Nullable;

/**
 * What a check came to, in the terms of qemu-img.
 *
 * @param exit 0 good, 1 could not check, 2 corruptions, 3 leaks
 * @param report the counts, or null where there are none
 */
record CheckOutcome(int exit, @Nullable CheckReport report) {

    static final CheckListener SILENT = new CheckListener() {};

    static CheckOutcome of(CheckReport report) {
        int exit = report.checkErrors() > 0 ? 1 : report.corruptions() > 0 ? 2 : report.leaks() > 0 ? 3 : 0;
        return new CheckOutcome(exit, report);
    }

    /** Checks a file, following all that it refers to. */
    static CheckOutcome ours(Path file) throws IOException {
        OpenOptions options = OpenOptions.builder()
                .format("qcow2")
                .references(ReferencePolicy.all())
                .probeBackingFormat(true)
                .build();
        try (DiskImage image = DiskImages.open(file, options)) {
            return of(image.check(SILENT));
        } catch (DiskImageException e) {
            return new CheckOutcome(1, null);
        }
    }

    static CheckOutcome qemu(Path folder, String name) throws IOException {
        ToolResult result = ReferenceTools.runIn(folder, "qemu-img", "check", "-f", "qcow2", "--output=json", name);
        if (result.stdout().isEmpty()) {
            return new CheckOutcome(1, null);
        }
        return new CheckOutcome(result.exit(), report(result.json()));
    }

    /** Reads the counts from JSON as qemu-img prints it and the corpus keeps it: what is 0 is left out. */
    static CheckReport report(JsonNode counts) {
        return new CheckReport(
                counts.path("check-errors").asLong(),
                counts.path("corruptions").asLong(),
                counts.path("leaks").asLong(),
                counts.path("total-clusters").asLong(),
                counts.path("allocated-clusters").asLong(),
                counts.path("compressed-clusters").asLong(),
                counts.path("fragmented-clusters").asLong(),
                counts.path("image-end-offset").asLong());
    }
}
