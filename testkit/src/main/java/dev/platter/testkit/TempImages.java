package dev.platter.testkit;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;

/** Makes image files in a folder of the test's own, which deletes it: {@code @TempDir}. */
public final class TempImages {
    private static final int CHUNK = 1 << 20;

    private TempImages() {}

    /** Makes a file of those bytes. */
    public static Path raw(Path folder, String name, Contents contents) throws IOException {
        Path file = folder.resolve(name);
        try (FileChannel channel = create(file)) {
            ByteBuffer chunk = ByteBuffer.allocate(CHUNK);
            for (long at = 0; at < contents.size(); at += chunk.limit()) {
                contents.get(at, chunk.clear().limit((int) Math.min(CHUNK, contents.size() - at)));
                channel.write(chunk.flip(), at);
            }
        }
        return file;
    }

    /** Makes a file of those bytes, kept short by the caller. */
    public static Path raw(Path folder, String name, byte[] bytes) throws IOException {
        return raw(folder, name, Contents.of(bytes));
    }

    /** Makes a file of zeros that takes no space, on file systems that have holes. */
    public static Path sparse(Path folder, String name, long size) throws IOException {
        Path file = folder.resolve(name);
        try (FileChannel channel = create(file)) {
            if (size > 0) {
                channel.write(ByteBuffer.allocate(1), size - 1);
            }
        }
        return file;
    }

    /**
     * Makes an empty image by {@code qemu-img create}; skips the test if that is not installed.
     *
     * @param size bytes that its guest sees
     * @param options more options, before the file name: {@code "-o", "cluster_size=4k"}
     */
    public static Path qemu(Path folder, String name, String format, long size, String... options) throws IOException {
        ReferenceTools.assumeTool("qemu-img");
        Path file = folder.resolve(name);
        List<String> command = new ArrayList<>(List.of("qemu-img", "create", "-q", "-f", format));
        command.addAll(Arrays.asList(options));
        command.addAll(List.of(file.toString(), Long.toString(size)));
        ReferenceTools.runIn(folder, command.toArray(new String[0])).assertSuccess();
        return file;
    }

    /** Makes an image of the bytes of a raw file by {@code qemu-img convert}; skips the test if that is missing. */
    public static Path qemuConvert(Path raw, String name, String format, String... options) throws IOException {
        ReferenceTools.assumeTool("qemu-img");
        Path file = raw.resolveSibling(name);
        List<String> command = new ArrayList<>(List.of("qemu-img", "convert", "-f", "raw", "-O", format));
        command.addAll(Arrays.asList(options));
        command.addAll(List.of(raw.toString(), file.toString()));
        ReferenceTools.run(command).assertSuccess();
        return file;
    }

    private static FileChannel create(Path file) throws IOException {
        return FileChannel.open(file, StandardOpenOption.CREATE_NEW, StandardOpenOption.WRITE);
    }
}
