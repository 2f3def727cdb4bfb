package dev.platter.cli;

import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import org.jspecify.annotations.Nullable;

/** What the command line of {@code platter nbd} says about the image. Its fields are set while that is read. */
final class ImageArguments {
    private static final List<String> CACHE_MODES =
            List.of("none", "off", "writeback", "writethrough", "directsync", "unsafe");
    private static final List<String> AIO_MODES = List.of("threads", "native", "io_uring");
    private static final int MOST_PARTITION = 1 << 20;

    /** What becomes of writes that are nothing but zeros. */
    enum DetectZeroes {
        OFF,
        ON,
        UNMAP
    }

    @Nullable
    String format;

    /** Whether the file name is a list of options. */
    boolean options;

    boolean readOnly;

    /** Whether writes go to an overlay that nobody keeps. */
    boolean temporary;

    @Nullable
    SnapshotChoice snapshot;

    long offset;

    /** Number of a partition; 0 for the whole disk. */
    int partition;

    @Nullable
    String cache;

    @Nullable
    String aio;

    /** Whether discards are passed on; null if nothing was said. */
    @Nullable
    Boolean unmap;

    DetectZeroes detectZeroes = DetectZeroes.OFF;

    /** Folders of files that images may name. */
    final List<Path> references = new ArrayList<>();

    /** Whether the format of a backing file may be found out. */
    boolean probing;

    /**
     * Takes an option.
     *
     * @throws StartFailure if its value makes no sense
     */
    void take(String name, String value) throws StartFailure {
        switch (name) {
            case "--format" -> format = value;
            case "--image-opts" -> options = true;
            case "--read-only" -> readOnly = true;
            case "--snapshot" -> temporary = true;
            case "--load-snapshot" -> {
                snapshot = SnapshotChoice.parse(value);
                readOnly = true;
            }
            case "--offset" -> {
                offset = CNumber.parse(value, Long.MAX_VALUE);
                require(offset >= 0, "Invalid offset '" + value + "'");
            }
            case "--partition" -> {
                partition = (int) CNumber.parse(value, MOST_PARTITION);
                require(partition > 0, "Invalid partition '" + value + "'");
            }
            case "--nocache" -> takeCache("none");
            case "--cache" -> takeCache(value);
            case "--aio" -> {
                require(aio == null, "--aio can only be specified once");
                require(AIO_MODES.contains(value), "Invalid aio mode '" + value + "'");
                aio = value;
            }
            case "--discard" -> {
                require(unmap == null, "--discard can only be specified once");
                unmap = discard(value);
            }
            case "--detect-zeroes" -> detectZeroes = detectZeroes(value);
            case "--allow-references" -> references.add(Arguments.path(value));
            case "--allow-probing" -> probing = true;
            default -> throw new IllegalArgumentException(name);
        }
    }

    private void takeCache(String value) throws StartFailure {
        require(cache == null, "-n and --cache can only be specified once");
        require(CACHE_MODES.contains(value), "Invalid cache mode `" + value + "'");
        cache = value;
    }

    /** Returns whether a mode passes discards on. */
    static boolean discard(String value) throws StartFailure {
        return switch (value) {
            case "unmap", "on" -> true;
            case "ignore", "off" -> false;
            default -> throw new StartFailure("Invalid discard mode `" + value + "'");
        };
    }

    private static DetectZeroes detectZeroes(String value) throws StartFailure {
        return switch (value) {
            case "off" -> DetectZeroes.OFF;
            case "on" -> DetectZeroes.ON;
            case "unmap" -> DetectZeroes.UNMAP;
            default -> throw new StartFailure("Failed to parse detect_zeroes mode: invalid parameter value: " + value);
        };
    }

    /** Checks what can be checked only when all options are known. */
    void check() throws StartFailure {
        require(
                detectZeroes != DetectZeroes.UNMAP || unmaps(),
                "setting detect-zeroes to unmap is not allowed without setting discard operation to unmap");
        require(offset == 0 || partition == 0, "--offset and --partition exclude each other");
    }

    /** Returns whether something was said that only an image can be asked. */
    boolean isAny() {
        return offset != 0
                || partition != 0
                || format != null
                || snapshot != null
                || aio != null
                || unmap != null
                || cache != null;
    }

    boolean unmaps() {
        return Boolean.TRUE.equals(unmap);
    }

    /** Returns whether every write is durable when it is answered. */
    boolean writesThrough() {
        return "writethrough".equals(cache) || "directsync".equals(cache);
    }

    /** Returns whether nothing is made durable. */
    boolean isUnsafe() {
        return "unsafe".equals(cache);
    }

    /** Returns whether the cache of the system was to be passed by. */
    boolean isDirect() {
        return "none".equals(cache) || "off".equals(cache) || "directsync".equals(cache);
    }

    private static void require(boolean valid, String otherwise) throws StartFailure {
        if (!valid) {
            throw new StartFailure(otherwise);
        }
    }
}
