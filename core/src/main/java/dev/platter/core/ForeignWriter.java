package dev.platter.core;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/**
 * Finds out whether another process has a file open for writing, as far as Linux tells: its list of locks shows those of
 * qemu, which holds a shared lock on byte 101 while it may write, and exclusive ones. Nothing is locked to find out. Source:
 * QEMU, block/file-posix.c, "raw_apply_lock_bytes"; proc_locks(5).
 */
final class ForeignWriter {
    private static final Path LOCKS = Path.of("/proc/locks");
    private static final boolean THERE = Files.isReadable(LOCKS);
    private static final int FIRST_OF_QEMU = 100;
    private static final int QEMU_MAY_WRITE = 101;

    private ForeignWriter() {}

    /** Returns what is known of it, or null. */
    static @Nullable String of(Path file) {
        if (!THERE) {
            return null;
        }
        try {
            String locks = Files.readString(LOCKS, StandardCharsets.ISO_8859_1);
            if (locks.isEmpty()) {
                return null;
            }
            Map<String, Object> attributes = Files.readAttributes(file, "unix:dev,ino");
            if (attributes.get("dev") instanceof Long device && attributes.get("ino") instanceof Long inode) {
                return find(locks, device, inode, ProcessHandle.current().pid());
            }
            return null;
        } catch (IOException | UnsupportedOperationException | IllegalArgumentException e) {
            // not to know is no reason not to read
            return null;
        }
    }

    /** Looks for an exclusive lock of another process, or for that of qemu. */
    static @Nullable String find(String locks, long device, long inode, long self) {
        long major = (device >>> 8 & 0xfff) | (device >>> 32 & ~0xfffL);
        long minor = (device & 0xff) | (device >>> 12 & 0xffffff00L);
        String place = hex(major) + ":" + hex(minor) + ":" + inode;
        if (!locks.contains(place)) {
            return null;
        }
        for (String line : locks.split("\n", -1)) {
            // 1: OFDLCK ADVISORY  READ -1 fe:00:2212549 101 101
            String[] fields = line.trim().split(" +", -1);
            if (fields.length == 8 && fields[5].equals(place) && !fields[4].equals(Long.toString(self))) {
                if (fields[3].equals("WRITE")) {
                    return "another process holds an exclusive lock on it";
                }
                if (isQemuWriting(fields[6], fields[7])) {
                    return "qemu has it open for writing";
                }
            }
        }
        return null;
    }

    /** Locks on neighbouring bytes are one. */
    private static boolean isQemuWriting(String first, String last) {
        return !last.equals("EOF")
                && (Long.parseLong(first) == FIRST_OF_QEMU || Long.parseLong(first) == QEMU_MAY_WRITE)
                && Long.parseLong(last) >= QEMU_MAY_WRITE;
    }

    private static String hex(long number) {
        return (number < 16 ? "0" : "") + Long.toHexString(number);
    }
}
