package dev.platter.linux;

import java.nio.file.Path;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.jspecify.annotations.Nullable;

/**
 * A device of the kernel that a binding made.
 *
 * @param name what it is in the image: {@code /dev/sda1}, {@code /dev/vg0/root}
 * @param path its node here: {@code /dev/loop3p1}
 * @param size bytes
 * @param content what was recognised in it, in the words of blkid; null where nothing was, or nobody looked
 * @param readOnly whether writes are refused
 */
public record BoundDevice(
        String name, Path path, long size, @Nullable String content, boolean readOnly) {

    /**
     * Returns the options that {@code mount} needs, and the careful ones: nothing of the guest is run, is a device or gives
     * rights. A file system that was not left in order is mounted without writing to it if the device is read-only.
     */
    public String mountOptions() {
        String options = (readOnly ? "ro" : "rw") + ",nosuid,nodev,noexec";
        if (content == null) {
            return options;
        }
        return switch (content) {
            case "ext3", "ext4" -> readOnly ? options + ",noload" : options;
            // a copy of a file system that is mounted already has the same UUID
            case "xfs" -> options + (readOnly ? ",norecovery" : "") + ",nouuid";
            case "btrfs" -> readOnly ? options + noLogReplay(System.getProperty("os.version", "")) : options;
            case "f2fs", "nilfs2" -> readOnly ? options + ",norecovery" : options;
            default -> options;
        };
    }

    /** Linux 5.9 gave the option another name. */
    static String noLogReplay(String kernel) {
        Matcher version = Pattern.compile("(\\d{1,4})\\.(\\d{1,4}).*").matcher(kernel);
        boolean old = version.matches()
                && Integer.parseInt(version.group(1)) * 1000 + Integer.parseInt(version.group(2)) < 5009;
        return old ? ",nologreplay" : ",rescue=nologreplay";
    }

    /** Returns whether the content is something that can be mounted as it is, as far as it was recognised. */
    public boolean isMountable() {
        return isMountable(content);
    }

    /** Returns whether something is a file system that can be mounted as it is; false for null, which is nothing known. */
    public static boolean isMountable(@Nullable String content) {
        return content != null
                && !content.endsWith("_member")
                && !content.equals("swap")
                && !content.equals("bcache")
                && !content.startsWith("crypto_");
    }

    /** Returns the line that mounts it. */
    public String mountCommand(String folder) {
        return "mount -o " + mountOptions() + " " + path + " " + folder;
    }
}
