package dev.platter.lvm;

import dev.platter.core.Printable;
import org.jspecify.annotations.Nullable;

/** The rules for names and UUIDs. lvm2, lib/misc/lvm-string.c ("validate_name") and lib/uuid/uuid.c. */
final class LvmNames {
    private static final int NAME_MAX = 127;
    private static final int UUID_LENGTH = 32;

    private LvmNames() {}

    /** Returns whether lvm would accept this as the name of a group or a volume. */
    static boolean isSafe(String name) {
        if (name.isEmpty()
                || name.length() > NAME_MAX
                || name.startsWith("-")
                || name.equals(".")
                || name.equals("..")) {
            return false;
        }
        for (int i = 0; i < name.length(); i++) {
            char c = name.charAt(i);
            if (!isAlphanumeric(c) && c != '+' && c != '_' && c != '.' && c != '-') {
                return false;
            }
        }
        return true;
    }

    /** Returns a name as it appears in messages: as it is when it follows the rules, else quoted and shortened. */
    static String shown(String name) {
        return isSafe(name) ? name : Printable.quote(name);
    }

    /** Returns {@code group/volume} as it appears in messages. */
    static String shown(String group, String volume) {
        return shown(group) + "/" + shown(volume);
    }

    /**
     * Returns a UUID in groups of 6-4-4-4-4-4-6 characters, or null if {@code text} is none. Dashes are ignored, as lvm
     * does; {@code !} and {@code #} come from LVM1.
     */
    static @Nullable String uuid(String text) {
        StringBuilder out = new StringBuilder(UUID_LENGTH + 6);
        int count = 0;
        for (int i = 0; i < text.length(); i++) {
            char c = text.charAt(i);
            if (c == '-') {
                continue;
            }
            if (count == UUID_LENGTH || !(isAlphanumeric(c) || c == '!' || c == '#')) {
                return null;
            }
            if (count >= 6 && count <= 26 && (count - 6) % 4 == 0) {
                out.append('-');
            }
            out.append(c);
            count++;
        }
        return count == UUID_LENGTH ? out.toString() : null;
    }

    private static boolean isAlphanumeric(char c) {
        return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
    }
}
