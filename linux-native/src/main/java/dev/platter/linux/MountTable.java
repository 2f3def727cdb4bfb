package dev.platter.linux;

import dev.platter.core.BlockIOException;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import org.jspecify.annotations.Nullable;

/** What is mounted where, in this process's view. Source: proc_pid_mountinfo(5). */
public final class MountTable {
    private static final Path TABLE = Path.of("/proc/self/mountinfo");

    private MountTable() {}

    /**
     * One mount.
     *
     * @param major of the device of the file system
     * @param minor of the device of the file system
     * @param point where it is
     * @param type {@code ext4}
     * @param source what was mounted: {@code /dev/loop3p1}
     */
    public record Mount(int major, int minor, String point, String type, String source) {}

    /** Returns all mounts, those that were made later after those they may lie on. */
    public static List<Mount> read() throws IOException {
        List<Mount> mounts = new ArrayList<>();
        for (String line : Files.readString(TABLE, StandardCharsets.UTF_8).split("\n", -1)) {
            // 36 35 98:0 /mnt1 /mnt2 rw,noatime master:1 - ext3 /dev/root rw,errors=continue
            String[] fields = line.split(" ", -1);
            int dash = List.of(fields).indexOf("-");
            if (fields.length < 7 || dash < 0 || dash + 2 >= fields.length) {
                continue;
            }
            int colon = fields[2].indexOf(':');
            mounts.add(new Mount(
                    Integer.parseInt(fields[2].substring(0, colon)),
                    Integer.parseInt(fields[2].substring(colon + 1)),
                    unescape(fields[4]),
                    fields[dash + 1],
                    unescape(fields[dash + 2])));
        }
        return mounts;
    }

    /**
     * Returns the last mount on a place, or null.
     *
     * @param point absolute, and without links
     */
    public static @Nullable Mount at(Path point) throws IOException {
        Mount last = null;
        for (Mount mount : read()) {
            if (mount.point().equals(point.toString())) {
                last = mount;
            }
        }
        return last;
    }

    /**
     * Has a file system write back what it holds.
     *
     * @param point where it is mounted
     * @throws BlockIOException if not all could be stored, now or since somebody asked last
     */
    public static void sync(Path point) throws IOException {
        try (Descriptor folder = Descriptor.open(point, LibC.O_RDONLY)) {
            folder.syncFileSystem();
        }
    }

    /** Returns the mounts of a device and of its partitions, by the source and by the numbers: btrfs has numbers of its own. */
    static List<Mount> of(Path device) throws IOException {
        List<String> nodes = new ArrayList<>(List.of(SysBlock.nameOf(device)));
        List<String> numbers = new ArrayList<>();
        String mapped = SysBlock.mappedName(device);
        if (mapped != null) {
            nodes.add("mapper/" + mapped);
        }
        add(numbers, SysBlock.numbers(SysBlock.of(device)));
        for (Path partition : SysBlock.partitions(device)) {
            nodes.add(SysBlock.nameOf(partition));
            add(numbers, SysBlock.numbers(partition));
        }
        List<Mount> found = new ArrayList<>();
        for (Mount mount : read()) {
            if (numbers.contains(mount.major() + ":" + mount.minor())
                    || (mount.source().startsWith("/dev/")
                            && nodes.contains(mount.source().substring(5)))) {
                found.add(mount);
            }
        }
        return found;
    }

    private static void add(List<String> numbers, @Nullable String found) {
        if (found != null) {
            numbers.add(found);
        }
    }

    /** Returns whether the kernel makes the nodes below {@code /dev} by itself. */
    static boolean isDevtmpfs() throws IOException {
        Mount dev = at(Path.of("/dev"));
        return dev != null && dev.type().equals("devtmpfs");
    }

    /** Blanks and backslashes are written as three octal digits. */
    private static String unescape(String field) {
        if (field.indexOf('\\') < 0) {
            return field;
        }
        byte[] bytes = field.getBytes(StandardCharsets.UTF_8);
        byte[] plain = new byte[bytes.length];
        int length = 0;
        for (int i = 0; i < bytes.length; i++) {
            if (bytes[i] == '\\' && i + 3 < bytes.length) {
                plain[length++] = (byte) ((bytes[i + 1] - '0') << 6 | (bytes[i + 2] - '0') << 3 | (bytes[i + 3] - '0'));
                i += 3;
            } else {
                plain[length++] = bytes[i];
            }
        }
        return new String(plain, 0, length, StandardCharsets.UTF_8);
    }
}
