package dev.platter.examples;

import com.fasterxml.jackson.databind.JsonNode;
import dev.platter.nbd.client.NbdUri;
import dev.platter.qcow2.CreateOptions;
import dev.platter.qcow2.Qcow2;
import java.io.Closeable;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Deque;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/**
 * The disk of a running guest as it was at one moment, served by its QEMU over NBD. What the guest overwrites meanwhile,
 * QEMU copies aside first; QEMU's documentation calls that image fleecing.
 *
 * <p>A bitmap records what the guest writes from that moment on. Closing undoes all of it; {@link #accept} before that makes
 * the new bitmap take the place of the old one, else what it recorded goes to the old one.
 */
final class FrozenDisk implements Closeable {
    private static final String VIEW = "platter-view";
    private static final String JOB = "platter-aside";
    private static final String EXPORT = "platter";

    private final QmpMonitor qemu;
    private final String node;
    private final String recording;
    private final Path folder = Files.createTempDirectory("platter-");
    private final Deque<Step> undo = new ArrayDeque<>();
    /** The bitmap since the backup before; none if nobody recorded. */
    private List<String> changes = List.of();

    private boolean accepted;

    /** Something that QEMU, or the file system, is asked to do. */
    private interface Step {
        void run() throws IOException;
    }

    /**
     * Freezes a disk.
     *
     * @param node the node of the disk, as {@code -blockdev} or {@code -drive} of QEMU named it
     * @param number that of this backup; the changes since the one before are offered if QEMU recorded them
     */
    FrozenDisk(QmpMonitor qemu, String node, int number) throws IOException {
        this.qemu = qemu;
        this.node = node;
        this.recording = bitmap(number);
        boolean done = false;
        try {
            freeze(bitmap(number - 1));
            done = true;
        } finally {
            if (!done) {
                close();
            }
        }
    }

    private static String bitmap(int number) {
        return "platter-" + number;
    }

    private void freeze(String since) throws IOException {
        Path aside = folder.resolve("aside.qcow2");
        Path socket = folder.resolve("nbd");
        undo.push(() -> {
            Files.deleteIfExists(aside);
            Files.deleteIfExists(socket);
            Files.delete(folder);
        });
        JsonNode disk = disk();
        for (JsonNode bitmap : disk.path("dirty-bitmaps")) {
            if (bitmap.path("name").asText().equals(since)
                    && bitmap.path("recording").asBoolean()) {
                changes = List.of(since);
            }
        }
        Qcow2.create(
                aside,
                CreateOptions.builder(disk.at("/image/virtual-size").asLong()).build());
        Map<String, ?> file = Map.of("driver", "file", "filename", aside.toString());
        qemu.execute("blockdev-add", Map.of("driver", "qcow2", "node-name", VIEW, "file", file, "backing", node));
        undo.push(() -> qemu.execute("blockdev-del", Map.of("node-name", VIEW)));

        // one moment: what is written before it is in the old bitmap and in the view, what comes later in the new one
        List<Map<String, ?>> moment = new ArrayList<>();
        moment.add(action("block-dirty-bitmap-add", Map.of("node", node, "name", recording)));
        for (String old : changes) {
            moment.add(action("block-dirty-bitmap-disable", Map.of("node", node, "name", old)));
        }
        moment.add(action("blockdev-backup", Map.of("job-id", JOB, "device", node, "target", VIEW, "sync", "none")));
        qemu.execute("transaction", Map.of("actions", moment));
        undo.push(this::settleBitmaps);
        undo.push(() -> {
            qemu.execute("block-job-cancel", Map.of("device", JOB));
            qemu.await("BLOCK_JOB_CANCELLED", "device", JOB);
        });

        Map<String, ?> address = Map.of("type", "unix", "data", Map.of("path", socket.toString()));
        qemu.execute("nbd-server-start", Map.of("addr", address));
        undo.push(() -> qemu.execute("nbd-server-stop", Map.of()));
        qemu.execute(
                "block-export-add",
                Map.of("type", "nbd", "id", EXPORT, "node-name", VIEW, "name", EXPORT, "bitmaps", changes));
    }

    private JsonNode disk() throws IOException {
        for (JsonNode one : qemu.execute("query-named-block-nodes", Map.of("flat", true))) {
            if (one.path("node-name").asText().equals(node)) {
                return one;
            }
        }
        throw new IOException("QEMU has no block node \"" + node + "\"; give its drive one with node-name=");
    }

    private static Map<String, ?> action(String type, Map<String, ?> data) {
        return Map.of("type", type, "data", data);
    }

    private void settleBitmaps() throws IOException {
        for (String old : changes) {
            if (accepted) {
                remove(old);
            } else {
                // recording in both for a moment is harmless, recording in none would lose changes
                qemu.execute("block-dirty-bitmap-enable", Map.of("node", node, "name", old));
                qemu.execute(
                        "block-dirty-bitmap-merge", Map.of("node", node, "target", old, "bitmaps", List.of(recording)));
            }
        }
        if (!accepted) {
            remove(recording);
        }
    }

    private void remove(String bitmap) throws IOException {
        qemu.execute("block-dirty-bitmap-remove", Map.of("node", node, "name", bitmap));
    }

    /** Returns where the disk is served. */
    NbdUri uri() {
        return NbdUri.ofUnix(folder.resolve("nbd").toString(), EXPORT);
    }

    /** Returns the bitmap that tells what changed since the backup before; empty if nobody recorded that. */
    Optional<String> changes() {
        return changes.stream().findFirst();
    }

    /** The backup is safe: the next one begins with what changes from now on. */
    void accept() {
        accepted = true;
    }

    @Override
    public void close() throws IOException {
        IOException failure = null;
        while (!undo.isEmpty()) {
            try {
                undo.pop().run();
            } catch (IOException e) {
                if (failure == null) {
                    failure = e;
                } else {
                    failure.addSuppressed(e);
                }
            }
        }
        if (failure != null) {
            throw failure;
        }
    }
}
