package dev.platter.linux;

import dev.platter.core.BlockIOException;
import dev.platter.core.BlockIOException.Kind;
import java.io.IOException;
import java.nio.file.DirectoryStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Collections;
import java.util.HashSet;
import java.util.List;
import java.util.Set;

/** Finds out who uses a device: mounts, devices that stand on it, programs that have it open. */
final class Holders {
    private static final Path PROCESSES = Path.of("/proc");

    private Holders() {}

    /** Returns those that keep a device from going away: mounts, other devices. Empty if there are none to be seen. */
    static List<String> of(Path device) throws IOException {
        return of(device, List.of());
    }

    /** Returns those that keep a device from going away, without some devices that may stand on it. */
    static List<String> of(Path device, List<Path> without) throws IOException {
        List<String> holders = new ArrayList<>();
        for (MountTable.Mount mount : MountTable.of(device)) {
            holders.add("mounted on " + mount.point());
        }
        for (Path holder : SysBlock.holders(device)) {
            if (!without.contains(holder)) {
                holders.add(usedBy(holder));
            }
        }
        Set<String> nodes = new HashSet<>(Set.of(device.toString()));
        for (Path partition : SysBlock.partitions(device)) {
            nodes.add("/dev/" + SysBlock.nameOf(partition));
        }
        for (LoopStatus loop : LoopDevice.list()) {
            if (nodes.contains(loop.backingFile()) && !without.contains(loop.device())) {
                holders.add(usedBy(loop.device()));
            }
        }
        return holders;
    }

    /**
     * Checks that devices can be taken away: nobody else than they themselves stands on them.
     *
     * @throws BlockIOException of kind {@code BUSY} that says who does
     */
    static void requireUnused(List<Path> devices) throws IOException {
        for (Path device : devices) {
            List<String> holders = of(device, devices);
            if (!holders.isEmpty()) {
                throw busy(device, holders);
            }
        }
        for (Path device : devices) {
            if (!Collections.disjoint(SysBlock.holders(device), devices)) {
                // device-mapper has it for itself, so nobody else can
                continue;
            }
            try {
                // also shows mounts that are not to be seen from here
                LoopDevice.openExclusively(device).close();
            } catch (BlockIOException e) {
                // that it is gone, or its file fails, does not keep it from going
                if (e.kind() == Kind.BUSY) {
                    throw e;
                }
            }
        }
    }

    private static String usedBy(Path device) {
        String name = SysBlock.mappedName(device);
        return "in use by " + device + (name == null ? "" : " (" + name + ")");
    }

    /** Returns the programs that have a device, or a partition of it, open, as far as this user may see. */
    static List<String> programs(Path device) throws IOException {
        Set<String> nodes = new HashSet<>(Set.of(device.toString()));
        for (Path partition : SysBlock.partitions(device)) {
            nodes.add("/dev/" + SysBlock.nameOf(partition));
        }
        return programs(nodes, "");
    }

    /**
     * Returns the programs that have one of some files open.
     *
     * @param paths as the kernel shows them
     * @param mark that the kernel's facts of the open file must hold; empty for none
     */
    static List<String> programs(Set<String> paths, String mark) throws IOException {
        List<String> programs = new ArrayList<>();
        try (DirectoryStream<Path> processes = Files.newDirectoryStream(PROCESSES, "[0-9]*")) {
            for (Path process : processes) {
                if (hasOpen(process, paths, mark)) {
                    String name = SysBlock.text(process.resolve("comm"));
                    programs.add((name == null ? "a program" : name) + " (process " + process.getFileName() + ")");
                }
            }
        }
        return programs;
    }

    private static boolean hasOpen(Path process, Set<String> paths, String mark) {
        try (DirectoryStream<Path> descriptors = Files.newDirectoryStream(process.resolve("fd"))) {
            for (Path descriptor : descriptors) {
                if (paths.contains(Files.readSymbolicLink(descriptor).toString())) {
                    String facts = SysBlock.text(process.resolve("fdinfo").resolve(descriptor.getFileName()));
                    if (facts != null && facts.contains(mark)) {
                        return true;
                    }
                }
            }
            return false;
        } catch (IOException | java.nio.file.DirectoryIteratorException e) {
            // it ended meanwhile, or belongs to somebody else
            return false;
        }
    }

    /** Makes the refusal to take a device away. */
    static BlockIOException busy(Path device, List<String> holders) {
        String who = holders.isEmpty()
                ? "somebody who cannot be seen from here holds it, perhaps a mount in another container"
                : String.join(", ", holders);
        String name = SysBlock.mappedName(device);
        Path shown = name == null ? device : DeviceMapper.link(name);
        return new BlockIOException(Kind.BUSY, shown + ": is in use and stays: " + who, null);
    }
}
