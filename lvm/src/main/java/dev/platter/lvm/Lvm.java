package dev.platter.lvm;

import dev.platter.core.Limits;
import dev.platter.core.Printable;
import dev.platter.core.Warning;
import java.io.IOException;
import java.util.ArrayList;
import java.util.List;
import org.jspecify.annotations.Nullable;

/** Finds volume groups. */
public final class Lvm {

    private Lvm() {}

    /**
     * Reads the labels and the metadata of some devices and puts the groups together. Devices without a label are
     * passed over. Damage is part of the result and never hides what is beside it: a device that cannot be read, a
     * label that is wrong, a text that does not match its checksum are each a problem of that device alone.
     *
     * @param devices every device that may hold a part of the groups wanted
     * @param limits {@link Limits#metadataBytes} holds for the different texts of all devices together
     * @throws IOException if the thread is interrupted
     */
    public static LvmScan scan(List<PhysicalVolumeCandidate> devices, Limits limits) throws IOException {
        TextPool texts = new TextPool(limits);
        List<FoundPv> found = new ArrayList<>();
        List<String> problems = new ArrayList<>();
        List<Warning> warnings = new ArrayList<>();
        for (PhysicalVolumeCandidate candidate : devices) {
            PvScanner scanner = new PvScanner(candidate, texts);
            FoundPv volume = scanner.scan();
            if (volume != null) {
                found.add(volume);
                continue;
            }
            @Nullable String problem = scanner.problem();
            if (problem != null) {
                problems.add(Printable.escape(problem));
            }
        }
        return new ScanAssembler(found, devices.size(), limits).assemble(problems, warnings);
    }
}
