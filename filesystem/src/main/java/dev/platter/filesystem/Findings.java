package dev.platter.filesystem;

import dev.platter.core.Warning;
import java.util.ArrayList;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * Gathers what a probe finds out about one file system, and compares what it says of itself with itself and with the
 * volume.
 */
final class Findings {
    private final Volume volume;
    private final String type;
    private final long signatureOffset;
    private final List<Warning> warnings = new ArrayList<>();
    private @Nullable String label;
    private @Nullable String uuid;
    private @Nullable String version;
    private @Nullable Long size;
    private @Nullable Long free;
    private @Nullable Long used;
    private @Nullable Long needed;
    private @Nullable DiskUsage usage;
    private int blockSize;
    private FileSystem.State state = FileSystem.State.UNKNOWN;

    Findings(Volume volume, String type, long signatureOffset) {
        this.volume = volume;
        this.type = type;
        this.signatureOffset = signatureOffset;
    }

    Findings label(@Nullable String text) {
        this.label = text;
        return this;
    }

    Findings uuid(@Nullable String text) {
        this.uuid = text;
        return this;
    }

    Findings version(@Nullable String text) {
        this.version = text;
        return this;
    }

    Findings blockSize(int bytes) {
        this.blockSize = bytes;
        return this;
    }

    Findings state(boolean clean) {
        this.state = clean ? FileSystem.State.CLEAN : FileSystem.State.DIRTY;
        return this;
    }

    /** The size in units; {@code count} is unsigned, {@code unit} positive. */
    Findings size(long count, long unit) {
        this.size = product("size", count, unit);
        return this;
    }

    Findings free(long count, long unit) {
        this.free = product("free space", count, unit);
        return this;
    }

    Findings used(long count, long unit) {
        this.used = product("space in use", count, unit);
        return this;
    }

    /** How many bytes of this volume it takes, where that is not its size. */
    Findings needed(long count, long unit) {
        this.needed = product("size on this volume", count, unit);
        return this;
    }

    Findings usage(@Nullable DiskUsage numbers) {
        this.usage = numbers;
        return this;
    }

    Findings warn(long offset, String text) {
        warnings.add(new Warning(offset, volume.named(type + ": " + text)));
        return this;
    }

    FileSystem build() {
        Long onVolume = needed == null ? size : needed;
        if (onVolume != null && onVolume > volume.size()) {
            warn(signatureOffset, "is " + onVolume + " bytes long, the volume ends after " + volume.size());
        }
        dropLies();
        return new FileSystem(
                type, label, uuid, size, free, used, blockSize, signatureOffset, version, state, usage, warnings);
    }

    private void dropLies() {
        if (size != null && free != null && free > size) {
            warn(signatureOffset, "free space (" + free + " bytes) is more than its size (" + size + ")");
            free = null;
            usage = null;
        }
        if (size != null && used != null && used > size) {
            warn(signatureOffset, "space in use (" + used + " bytes) is more than its size (" + size + ")");
            used = null;
            usage = null;
        }
    }

    private @Nullable Long product(String what, long count, long unit) {
        if (count >= 0 && count <= Long.MAX_VALUE / unit) {
            return count * unit;
        }
        warn(
                signatureOffset,
                what + " of " + Long.toUnsignedString(count) + " times " + unit + " bytes is more than 2^63-1");
        return null;
    }
}
