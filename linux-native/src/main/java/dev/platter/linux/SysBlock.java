package dev.platter.linux;

import dev.platter.core.BlockIOException;
import dev.platter.core.BlockIOException.Kind;
import java.io.IOException;
import java.nio.file.DirectoryStream;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import org.jspecify.annotations.Nullable;

/** What the kernel shows of block devices below {@code /sys}. Source: Documentation/ABI/stable/sysfs-block. */
final class SysBlock {
    static final Path FOLDER = Path.of("/sys/block");
    static final int SECTOR = 512;

    private SysBlock() {}

    /** Returns the folder of a whole device: {@code /sys/block/loop3}. */
    static Path of(Path device) {
        return FOLDER.resolve(nameOf(device));
    }

    /** Returns the name that the kernel knows a node by. */
    static String nameOf(Path device) {
        return String.valueOf(device.getFileName());
    }

    /** Returns what a file says, without the end of its line; null if it is not there, or its device went away. */
    static @Nullable String text(Path file) {
        try {
            String text = Files.readString(file);
            return text.endsWith("\n") ? text.substring(0, text.length() - 1) : text;
        } catch (IOException e) {
            // a device that goes away takes its files along, and answers reads of open ones with an error
            return null;
        }
    }

    /** Returns the number that a file says; {@code otherwise} if it is not there. */
    static long number(Path file, long otherwise) {
        String text = text(file);
        return text == null ? otherwise : Long.parseLong(text.strip());
    }

    /**
     * Returns the number that tells this use of a device from earlier ones of the same name; 0 where the kernel is older than
     * 5.15 and has none.
     */
    static long sequence(Path device) {
        return number(of(device).resolve("diskseq"), 0);
    }

    /** Returns the size of a device in bytes, 0 if it has none. */
    static long size(Path device) {
        return number(of(device).resolve("size"), 0) * SECTOR;
    }

    /** Returns the folders of the partitions that the kernel has of a whole device, in no order. */
    static List<Path> partitions(Path device) throws IOException {
        return entries(of(device), nameOf(device) + "*", true);
    }

    /** Returns the nodes of the devices that stand on a device or on one of its partitions: {@code /dev/dm-0}. */
    static List<Path> holders(Path device) throws IOException {
        List<Path> nodes = new ArrayList<>();
        List<Path> folders = new ArrayList<>(List.of(of(device)));
        folders.addAll(partitions(device));
        for (Path folder : folders) {
            for (Path holder : entries(folder.resolve("holders"), "*", false)) {
                nodes.add(Path.of("/dev").resolve(nameOf(holder)));
            }
        }
        return nodes;
    }

    /** Returns the name that device-mapper has for a device, or null if it is none of its. */
    static @Nullable String mappedName(Path device) {
        return text(of(device).resolve("dm/name"));
    }

    /** Returns the numbers of a node or a partition, {@code "7:3"}, or null if the kernel has no such device. */
    static @Nullable String numbers(Path folder) {
        return text(folder.resolve("dev"));
    }

    static List<Path> entries(Path folder, String pattern, boolean partitionsOnly) throws IOException {
        List<Path> found = new ArrayList<>();
        try (DirectoryStream<Path> stream = Files.newDirectoryStream(folder, pattern)) {
            for (Path entry : stream) {
                if (!partitionsOnly || Files.exists(entry.resolve("partition"))) {
                    found.add(entry);
                }
            }
        } catch (NoSuchFileException e) {
            // no such device, or one that never has any
            return found;
        }
        return found;
    }

    /**
     * Makes sure that a node is there and is the device that the kernel means by its name, and makes it where nobody does:
     * without devtmpfs and udev.
     *
     * @param folder of the device below {@code /sys}
     */
    static void requireNode(Path node, Path folder, long millis) throws IOException {
        String numbers = numbers(folder);
        if (numbers == null) {
            throw new BlockIOException(Kind.IO, node + ": the kernel has no such device", null);
        }
        int colon = numbers.indexOf(':');
        long device =
                deviceNumber(Long.parseLong(numbers.substring(0, colon)), Long.parseLong(numbers.substring(colon + 1)));
        if (!Waiting.until(() -> Files.exists(node), MountTable.isDevtmpfs() ? millis : 0)) {
            makeNode(node, device);
        }
        if (deviceOf(node) != device) {
            throw new BlockIOException(
                    Kind.IO, node + ": is another device than the kernel's " + numbers + "; remove the node", null);
        }
    }

    private static void makeNode(Path node, long device) throws IOException {
        if (!LateLibC.isAvailable()) {
            throw new BlockIOException(Kind.IO, node + ": does not appear, and this C library has no mknod", null);
        }
        if (LateLibC.mknod(node.toString(), 0060600, device) != 0) {
            int errno = com.sun.jna.Native.getLastError();
            if (errno != Errno.EEXIST) {
                throw new SystemCallException(node + ": mknod", errno);
            }
        }
    }

    /** Returns the device number of a node, or -1 if it is none. */
    static long deviceOf(Path node) throws IOException {
        try {
            int mode = (Integer) Files.getAttribute(node, "unix:mode");
            return (mode & 0170000) == 0060000 ? (Long) Files.getAttribute(node, "unix:rdev") : -1;
        } catch (NoSuchFileException e) {
            return -1;
        }
    }

    /** Returns a device number as the C library has it. */
    static long deviceNumber(long major, long minor) {
        return (minor & 0xff) | (major & 0xfff) << 8 | (minor & ~0xffL) << 12 | (major & ~0xfffL) << 32;
    }
}
