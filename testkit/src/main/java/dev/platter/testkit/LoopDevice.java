package dev.platter.testkit;

import java.io.Closeable;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import org.opentest4j.TestAbortedException;

/** A file as a block device of the kernel, detached when it is closed, or when the JVM ends. Not for many threads. */
public final class LoopDevice implements Closeable {
    private static final int DETACH_TRIES = 200;
    private static final Set<Path> ATTACHED = ConcurrentHashMap.newKeySet();

    static {
        Runtime.getRuntime().addShutdownHook(new Thread(LoopDevice::detachAll, "detach loop devices"));
    }

    private final Path path;

    private LoopDevice(Path path) {
        this.path = path;
    }

    /**
     * Attaches a file; skips the test where that is not possible: without {@code losetup}, root, or loop devices.
     *
     * @param options of losetup: {@code "--read-only"}, {@code "--sector-size", "4096"}
     */
    public static LoopDevice attach(Path file, String... options) throws IOException {
        ReferenceTools.assumeTool("losetup");
        if (!Files.isWritable(Path.of("/dev/loop-control"))) {
            throw new TestAbortedException("loop devices need root and /dev/loop-control");
        }
        List<String> command = new ArrayList<>(List.of("losetup", "--find", "--show"));
        command.addAll(Arrays.asList(options));
        command.add(file.toAbsolutePath().toString());
        ToolResult result = ReferenceTools.run(command);
        if (result.exit() != 0) {
            throw new TestAbortedException("no loop device: " + result.stderr().trim());
        }
        Path path = Path.of(result.stdout().trim());
        ATTACHED.add(path);
        return new LoopDevice(path);
    }

    /** Returns the device node: {@code /dev/loop3}. */
    public Path path() {
        return path;
    }

    /** Detaches the device and waits until it is gone. */
    @Override
    public void close() throws IOException {
        if (ATTACHED.contains(path)) {
            detach(path);
        }
    }

    private static void detach(Path path) throws IOException {
        Path bound = Path.of("/sys/block", path.getFileName().toString(), "loop");
        ToolResult result = null;
        for (int i = 0; i < DETACH_TRIES && Files.exists(bound); i++) {
            // the kernel says yes while somebody has it open, and detaches later
            result = ReferenceTools.run("losetup", "--detach", path.toString());
        }
        if (Files.exists(bound)) {
            throw new IOException(path + ": is still attached: " + result);
        }
        ATTACHED.remove(path);
    }

    private static void detachAll() {
        for (Path path : ATTACHED) {
            try {
                detach(path);
            } catch (IOException e) {
                System.err.println(path + ": cannot be detached: " + e);
            }
        }
    }
}
