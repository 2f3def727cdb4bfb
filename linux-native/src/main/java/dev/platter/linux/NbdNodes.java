package dev.platter.linux;

import dev.platter.core.BlockIOException;
import dev.platter.core.BlockIOException.Kind;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.jspecify.annotations.Nullable;

/** The nbd devices that this kernel has, and the driver of them. */
final class NbdNodes {
    private static final Pattern NAME = Pattern.compile("nbd([0-9]{1,6})");
    private static final Path FOLDER = Path.of("/dev");

    private NbdNodes() {}

    static Path node(int index) {
        return FOLDER.resolve("nbd" + index);
    }

    /**
     * Returns the number of a device.
     *
     * @throws BlockIOException if this is none, but for instance one of its partitions
     */
    static int index(Path device) throws IOException {
        Path real = Files.exists(device) ? device.toRealPath() : device.toAbsolutePath();
        Matcher name = NAME.matcher(SysBlock.nameOf(real));
        if (!FOLDER.equals(real.getParent()) || !name.matches()) {
            throw new BlockIOException(
                    Kind.NOT_SUPPORTED, device + ": is no nbd device; they are called /dev/nbd0, /dev/nbd1 …", null);
        }
        return Integer.parseInt(name.group(1));
    }

    /** Returns the numbers of all devices, ascending. */
    static List<Integer> all() throws IOException {
        List<Integer> found = new ArrayList<>();
        for (Path folder : SysBlock.entries(SysBlock.FOLDER, "nbd*", false)) {
            Matcher name = NAME.matcher(SysBlock.nameOf(folder));
            if (name.matches()) {
                found.add(Integer.parseInt(name.group(1)));
            }
        }
        Collections.sort(found);
        return found;
    }

    /** Returns the numbers of those that nobody has connected, ascending. Somebody may, meanwhile. */
    static List<Integer> free() throws IOException {
        List<Integer> free = new ArrayList<>();
        for (int index : all()) {
            if (!isConnected(index)) {
                free.add(index);
            }
        }
        return free;
    }

    /** A device by netlink has no {@code pid} with some kernels, and one that is being set up no size yet. */
    static boolean isConnected(int index) {
        Path folder = SysBlock.of(node(index));
        return Files.exists(folder.resolve("pid")) || SysBlock.size(node(index)) > 0;
    }

    /** Returns what was noted with the device when it was connected; null if nothing was, or the kernel is older than 5.14. */
    static @Nullable String backend(int index) {
        return SysBlock.text(SysBlock.of(node(index)).resolve("backend"));
    }

    /**
     * Loads the driver if it is not there.
     *
     * @throws BlockIOException if this kernel has none
     */
    static void requireDriver() throws IOException {
        if (Files.exists(Path.of("/sys/module/nbd")) || !all().isEmpty()) {
            return;
        }
        // old kernels look for no partitions unless told how many there can be
        String refusal = KernelModule.load("nbd", "max_part=16");
        if (refusal != null) {
            throw new BlockIOException(
                    Kind.NOT_SUPPORTED,
                    "this kernel (" + System.getProperty("os.version")
                            + ") has no nbd devices, and its module cannot be" + " loaded: " + refusal
                            + "; a loop device over FUSE needs none (platter bind --as fuse)",
                    null);
        }
    }

    static NbdNetlink requireNetlink() throws IOException {
        NbdNetlink netlink = NbdNetlink.open();
        if (netlink == null) {
            throw new BlockIOException(
                    Kind.NOT_SUPPORTED, "the nbd driver of this kernel cannot be spoken to by netlink", null);
        }
        return netlink;
    }

    /** Ends a device, whoever connected it in whatever way. */
    static void disconnect(int index) throws IOException {
        NbdNetlink netlink = NbdNetlink.open();
        if (netlink == null) {
            IoctlControl.disconnect(node(index));
            return;
        }
        try (netlink) {
            netlink.disconnect(index);
        }
    }
}
