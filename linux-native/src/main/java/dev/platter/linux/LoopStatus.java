package dev.platter.linux;

import com.sun.jna.Memory;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/**
 * A loop device that is bound, as the kernel shows it.
 *
 * @param device its node: {@code /dev/loop3}
 * @param backingFile the file as the kernel names it now; {@code (deleted)} follows where it has no name left
 * @param offset first byte of the file
 * @param sizeLimit bytes, 0 for all up to the end of the file
 * @param size bytes of the device
 * @param readOnly whether writes are refused
 * @param autoclear whether it goes away with its last user
 * @param partitionScan whether the kernel looks for partitions
 * @param directIo whether the kernel passes by its cache of the file
 * @param sequence the number that tells this use of the device from others; 0 where the kernel has none
 */
public record LoopStatus(
        Path device,
        String backingFile,
        long offset,
        long sizeLimit,
        long size,
        boolean readOnly,
        boolean autoclear,
        boolean partitionScan,
        boolean directIo,
        long sequence) {

    /** Returns the status of a device, or null if it is not bound. */
    static @Nullable LoopStatus of(Path device) {
        Path folder = SysBlock.of(device);
        String file = SysBlock.text(folder.resolve("loop/backing_file"));
        if (file == null) {
            return null;
        }
        return new LoopStatus(
                device,
                file,
                SysBlock.number(folder.resolve("loop/offset"), 0),
                SysBlock.number(folder.resolve("loop/sizelimit"), 0),
                SysBlock.size(device),
                isOne(folder.resolve("ro")),
                isOne(folder.resolve("loop/autoclear")),
                isOne(folder.resolve("loop/partscan")),
                isOne(folder.resolve("loop/dio")),
                SysBlock.sequence(device));
    }

    private static boolean isOne(Path file) {
        return SysBlock.number(file, 0) == 1;
    }

    /** Returns whether this stands on a file, whatever name it was bound by. */
    boolean isOn(Path file) throws IOException {
        Path bound = Path.of(backingFile);
        return Files.exists(bound) ? Files.isSameFile(bound, file) : isOnInode(file);
    }

    /** The name may be one that only another container sees. */
    private boolean isOnInode(Path file) throws IOException {
        Memory info = new Memory(LoopIoctls.INFO_BYTES);
        info.clear();
        try (Descriptor open = Descriptor.open(device, LibC.O_RDONLY | LibC.O_NONBLOCK)) {
            open.ioctl("LOOP_GET_STATUS64", LoopIoctls.LOOP_GET_STATUS64, info);
        } catch (SystemCallException e) {
            // it went away meanwhile, or is not ours to see
            return false;
        }
        Map<String, Object> attributes = Files.readAttributes(file, "unix:dev,ino");
        return Long.valueOf(info.getLong(LoopIoctls.LO_DEVICE)).equals(attributes.get("dev"))
                && Long.valueOf(info.getLong(LoopIoctls.LO_INODE)).equals(attributes.get("ino"));
    }

    /** Returns whether this and a range of the same file have bytes in common. */
    boolean overlaps(long first, long length) {
        return first < offset + size && offset < first + length;
    }
}
