package dev.platter.interop;

import java.io.BufferedOutputStream;
import java.io.IOException;
import java.io.OutputStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.Map;

/**
 * The root that a kernel begins with: a cpio archive in the form {@code newc}; the kernel's "initramfs buffer format". Needs
 * neither root nor device nodes on the host.
 */
final class Initramfs {
    private static final int FOLDER = 0040755;
    private static final int PROGRAM = 0100755;
    private static final int CONSOLE = 0020600;

    private final Map<String, Entry> entries = new LinkedHashMap<>();

    private static final class Entry {
        private final int mode;
        private final int major;
        private final int minor;
        private final byte[] content;

        Entry(int mode, int major, int minor, byte[] content) {
            this.mode = mode;
            this.major = major;
            this.minor = minor;
            this.content = content;
        }
    }

    Initramfs() {
        folders("dev");
        entries.put("dev/console", new Entry(CONSOLE, 5, 1, new byte[0]));
    }

    /** Adds a folder, with those above it. */
    Initramfs folders(String name) {
        int parent = name.lastIndexOf('/');
        if (parent > 0) {
            folders(name.substring(0, parent));
        }
        entries.putIfAbsent(name, new Entry(FOLDER, 0, 0, new byte[0]));
        return this;
    }

    /** Adds a file that can be run, with the folders above it; names do not begin with a slash. */
    Initramfs file(String name, byte[] content) {
        int parent = name.lastIndexOf('/');
        if (parent > 0) {
            folders(name.substring(0, parent));
        }
        entries.put(name, new Entry(PROGRAM, 0, 0, content));
        return this;
    }

    Initramfs file(String name, String content) {
        return file(name, content.getBytes(StandardCharsets.UTF_8));
    }

    Initramfs file(String name, Path content) throws IOException {
        return file(name, Files.readAllBytes(content));
    }

    void write(Path archive) throws IOException {
        try (OutputStream out = new BufferedOutputStream(Files.newOutputStream(archive))) {
            int inode = 1;
            for (Map.Entry<String, Entry> one : entries.entrySet()) {
                put(out, one.getKey(), inode++, one.getValue());
            }
            put(out, "TRAILER!!!", 0, new Entry(0, 0, 0, new byte[0]));
        }
    }

    private static void put(OutputStream out, String name, int inode, Entry entry) throws IOException {
        byte[] text = (name + "\0").getBytes(StandardCharsets.UTF_8);
        StringBuilder header = new StringBuilder("070701");
        int[] fields = {
            inode, entry.mode, 0, 0, 1, 0, entry.content.length, 0, 0, entry.major, entry.minor, text.length, 0
        };
        for (int field : fields) {
            header.append(String.format("%08x", field));
        }
        out.write(header.toString().getBytes(StandardCharsets.US_ASCII));
        out.write(text);
        pad(out, header.length() + text.length);
        out.write(entry.content);
        pad(out, entry.content.length);
    }

    private static void pad(OutputStream out, int length) throws IOException {
        out.write(new byte[-length & 3]);
    }
}
