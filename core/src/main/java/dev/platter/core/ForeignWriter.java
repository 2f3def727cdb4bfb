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

    /** The list is read once in so long: whoever opens many images would wait for it each time. */
    private static final long FRESH_NANOS = 1_000_000_000L;

    private static volatile Writers known = new Writers("", System.nanoTime() - FRESH_NANOS);

    /** The locks of other processes that write, when they were asked for. */
    private static final class Writers {
        final String locks;
        final long asked;

        Writers(String locks, long asked) {
            this.locks = locks;
            this.asked = asked;
        }
    }

    private ForeignWriter() {}

    /** Forgets what is known: a lock of our own was given back, which in the list is like anybody's. */
    static void forget() {
        known = new Writers("", System.nanoTime() - FRESH_NANOS);
    }

    /** Returns what was known of it a second ago or later, or null; who is said to write does so now. */
    static @Nullable String of(Path file) {
        if (!THERE) {
            return null;
        }
        try {
            Writers writers = known;
            if (System.nanoTime() - writers.asked < FRESH_NANOS) {
                if (find(writers.locks, file) == null) {
                    return null;
                }
                // it may have ended since, and the number of its file be that of another
            }
            return find(ask().locks, file);
        } catch (IOException | UnsupportedOperationException | IllegalArgumentException e) {
            // not to know is no reason not to read
            return null;
        }
    }

    private static Writers ask() throws IOException {
        String all = Files.readString(LOCKS, StandardCharsets.ISO_8859_1);
        Writers writers = new Writers(writersIn(all, ProcessHandle.current().pid()), System.nanoTime());
        known = writers;
        return writers;
    }

    private static @Nullable String find(String writers, Path file) throws IOException {
        if (writers.isEmpty()) {
            return null;
        }
        Map<String, Object> attributes = Files.readAttributes(file, "unix:dev,ino");
        return attributes.get("dev") instanceof Long device && attributes.get("ino") instanceof Long inode
                ? find(writers, device, inode)
                : null;
    }

    /** Returns the lines of exclusive locks of other processes, and of qemu where it may write. */
    static String writersIn(String locks, long self) {
        StringBuilder writers = new StringBuilder();
        for (String line : locks.split("\n", -1)) {
            // 1: OFDLCK ADVISORY  READ -1 fe:00:2212549 101 101
            String[] fields = fields(line);
            if (fields.length == 8
                    && !fields[4].equals(Long.toString(self))
                    && (fields[3].equals("WRITE") || isQemuWriting(fields[6], fields[7]))) {
                writers.append(line).append('\n');
            }
        }
        return writers.toString();
    }

    /** Looks for a file among the locks of writers. */
    static @Nullable String find(String writers, long device, long inode) {
        long major = (device >>> 8 & 0xfff) | (device >>> 32 & ~0xfffL);
        long minor = (device & 0xff) | (device >>> 12 & 0xffffff00L);
        String place = hex(major) + ":" + hex(minor) + ":" + inode;
        for (String line : writers.split("\n", -1)) {
            String[] fields = fields(line);
            if (fields.length == 8 && fields[5].equals(place)) {
                return fields[3].equals("WRITE")
                        ? "another process holds an exclusive lock on it"
                        : "qemu, or a program that locks files as it does, has it open for writing";
            }
        }
        return null;
    }

    private static String[] fields(String line) {
        return line.trim().split(" +", -1);
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
