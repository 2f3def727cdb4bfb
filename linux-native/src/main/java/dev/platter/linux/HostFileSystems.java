package dev.platter.linux;

import java.io.IOException;
import java.io.InputStream;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.UUID;
import org.jspecify.annotations.Nullable;

/**
 * The file systems that this system knows already, by UUID and by label: from the links of udev, from the kernel's list of
 * btrfs, and where there is no udev from what is mounted. Immutable. Sources: udev's 60-persistent-storage.rules;
 * Documentation/ABI/testing/sysfs-fs-btrfs; fs/ext4/ext4.h and fs/xfs/libxfs/xfs_format.h for the places of the UUIDs.
 */
final class HostFileSystems {
    private static final int SUPERBLOCKS = 2048;
    private static final int EXT_MAGIC_AT = 1024 + 0x38;
    private static final int EXT_MAGIC = 0xEF53;
    private static final int EXT_UUID_AT = 1024 + 0x68;
    private static final int XFS_MAGIC = 0x58465342;
    private static final int XFS_UUID_AT = 32;

    private final List<Known> known;

    /**
     * A file system.
     *
     * @param uuid null where only the label is known
     * @param label null where only the UUID is known
     * @param device its node; null where the kernel names only the file system
     */
    record Known(
            @Nullable String uuid,
            @Nullable String label,
            @Nullable Path device) {}

    HostFileSystems(List<Known> known) {
        this.known = List.copyOf(known);
    }

    /** Reads what is known now. */
    static HostFileSystems now() throws IOException {
        return read(Path.of("/dev/disk"), Path.of("/sys/fs/btrfs"), MountTable.read());
    }

    static HostFileSystems read(Path links, Path btrfs, List<MountTable.Mount> mounts) throws IOException {
        List<Known> known = new ArrayList<>();
        for (Path uuid : SysBlock.entries(btrfs, "*-*-*-*-*", false)) {
            known.add(new Known(SysBlock.nameOf(uuid), null, null));
        }
        for (Path link : SysBlock.entries(links.resolve("by-uuid"), "*", false)) {
            known.add(new Known(unescape(SysBlock.nameOf(link)), null, target(link)));
        }
        for (Path link : SysBlock.entries(links.resolve("by-label"), "*", false)) {
            known.add(new Known(null, unescape(SysBlock.nameOf(link)), target(link)));
        }
        if (!Files.exists(links.resolve("by-uuid"))) {
            for (MountTable.Mount mount : mounts) {
                Path source = Path.of(mount.source());
                String uuid = source.startsWith("/dev") && SysBlock.deviceOf(source) >= 0 ? uuidOf(source) : null;
                if (uuid != null) {
                    known.add(new Known(uuid, null, source.toRealPath()));
                }
            }
        }
        return new HostFileSystems(known);
    }

    /** Returns those that have a UUID. */
    List<Known> ofUuid(String uuid) {
        return known.stream().filter(each -> uuid.equalsIgnoreCase(each.uuid())).toList();
    }

    /** Returns those that have a label. */
    List<Known> ofLabel(String label) {
        return known.stream().filter(each -> label.equals(each.label())).toList();
    }

    private static @Nullable Path target(Path link) {
        try {
            return link.toRealPath();
        } catch (IOException e) {
            // its device went away meanwhile
            return null;
        }
    }

    /** Udev writes what is no part of a plain name as {@code \x20}. */
    private static String unescape(String name) {
        if (name.indexOf('\\') < 0) {
            return name;
        }
        byte[] bytes = name.getBytes(StandardCharsets.UTF_8);
        byte[] plain = new byte[bytes.length];
        int length = 0;
        for (int i = 0; i < bytes.length; i++) {
            if (bytes[i] == '\\' && i + 3 < bytes.length && bytes[i + 1] == 'x') {
                plain[length++] = (byte) (Character.digit(bytes[i + 2], 16) << 4 | Character.digit(bytes[i + 3], 16));
                i += 3;
            } else {
                plain[length++] = bytes[i];
            }
        }
        return new String(plain, 0, length, StandardCharsets.UTF_8);
    }

    /** Returns the UUID of an ext2, 3, 4 or XFS; null for others, and where the device cannot be read. */
    private static @Nullable String uuidOf(Path device) {
        ByteBuffer head;
        try (InputStream in = Files.newInputStream(device)) {
            head = ByteBuffer.wrap(in.readNBytes(SUPERBLOCKS));
        } catch (IOException e) {
            // a mounted device that fails is nobody's twin, and its mount says more of it
            return null;
        }
        if (head.limit() < SUPERBLOCKS) {
            return null;
        }
        if (head.getInt(0) == XFS_MAGIC) {
            return uuid(head, XFS_UUID_AT);
        }
        int magic = head.order(ByteOrder.LITTLE_ENDIAN).getShort(EXT_MAGIC_AT) & 0xffff;
        return magic == EXT_MAGIC ? uuid(head, EXT_UUID_AT) : null;
    }

    private static String uuid(ByteBuffer head, int at) {
        head.order(ByteOrder.BIG_ENDIAN);
        return new UUID(head.getLong(at), head.getLong(at + 8)).toString();
    }
}
