package dev.platter.linux;

import com.google.common.hash.Hashing;
import java.nio.charset.StandardCharsets;

/**
 * Names of device-mapper devices. They begin with {@code platter-}; the parts that follow are joined by dashes, and a dash in
 * one of them is doubled, as LVM does. What udev and dmsetup would have to escape is escaped by us: {@code \x20}.
 */
final class MappedNames {
    private static final String PREFIX = "platter-";
    /** Not {@code LVM-}: the LVM of this host takes that for its own. */
    private static final String UUID_PREFIX = "PLATTER-";

    private static final int MOST = 127;
    private static final int DIGITS = 16;
    private static final String PLAIN = "#+.:=@_";

    private MappedNames() {}

    /** Returns the name of a volume of a group. */
    static String ofVolume(String tag, String group, String volume) {
        return shortened(PREFIX + escape(tag) + "-" + escape(group) + "-" + escape(volume));
    }

    /**
     * Returns the name of a volume.
     *
     * @param name in the catalog: {@code /dev/vg0/root}, or the UUIDs of both
     */
    static String ofVolume(String tag, String name) {
        String path = name.startsWith("/dev/") ? name.substring(5) : name;
        int slash = path.lastIndexOf('/');
        return ofVolume(tag, path.substring(0, Math.max(slash, 0)), path.substring(slash + 1));
    }

    /** Returns the name of a partition. */
    static String ofPartition(String tag, int number) {
        return shortened(PREFIX + escape(tag) + "-p" + number);
    }

    /** Returns the UUID of a device of that name. */
    static String uuid(String name) {
        return UUID_PREFIX + digest(name);
    }

    /** Returns whether a device is one of ours. */
    static boolean isOurs(String uuid) {
        return uuid.startsWith(UUID_PREFIX);
    }

    /** Two long names that begin alike stay two. */
    private static String shortened(String name) {
        return name.length() <= MOST
                ? name
                : name.substring(0, MOST - 1 - DIGITS) + "~" + digest(name).substring(0, DIGITS);
    }

    private static String digest(String name) {
        return Hashing.sha256()
                .hashString(name, StandardCharsets.UTF_8)
                .toString()
                .substring(0, 2 * DIGITS);
    }

    private static String escape(String part) {
        StringBuilder out = new StringBuilder();
        for (byte b : part.getBytes(StandardCharsets.UTF_8)) {
            char c = (char) (b & 0xff);
            boolean plain = (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z');
            if (c == '-') {
                out.append("--");
            } else if (plain || PLAIN.indexOf(c) >= 0) {
                out.append(c);
            } else {
                out.append(String.format("\\x%02x", (int) c));
            }
        }
        return out.toString();
    }
}
