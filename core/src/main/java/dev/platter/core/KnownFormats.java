package dev.platter.core;

import com.google.common.collect.ImmutableList;
import java.io.IOException;
import java.nio.ByteBuffer;
import org.jspecify.annotations.Nullable;

/** Names containers that cannot be read, so that they are not taken for a disk without partitions. */
final class KnownFormats {

    private KnownFormats() {}

    /** Returns the name of the container that these bytes begin, or null. */
    static @Nullable String nameOf(ByteBuffer head, Storage storage) throws IOException {
        String name = diskName(head);
        for (Magic magic : COMPRESSED) {
            if (name == null && magic.matches(head)) {
                name = magic.name;
            }
        }
        return name == null && hasVhdFooter(storage) ? "VHD (fixed)" : name;
    }

    /** Returns the name of the format of disk images that these bytes begin, or null. */
    static @Nullable String diskName(ByteBuffer head) {
        for (Magic magic : DISKS) {
            if (magic.matches(head)) {
                return magic.name;
            }
        }
        return null;
    }

    /** The characters of {@code bytes} are the bytes, one each. */
    private record Magic(String name, int offset, String bytes) {
        boolean matches(ByteBuffer head) {
            for (int i = 0; i < bytes.length(); i++) {
                if (offset + i >= head.limit() || (head.get(offset + i) & 0xff) != bytes.charAt(i)) {
                    return false;
                }
            }
            return true;
        }
    }

    private static final Magic VHD = new Magic("VHD", 0, "conectix");

    private static final ImmutableList<Magic> DISKS = ImmutableList.of(
            VHD,
            // claimed by its own module; named here for when that is not on the path
            new Magic("qcow2 or qcow", 0, "QFI\u00fb"),
            new Magic("QED", 0, "QED\0"),
            new Magic("VMDK", 0, "KDMV"),
            new Magic("VMDK", 0, "COWD"),
            new Magic("VMDK (descriptor)", 0, "# Disk DescriptorFile"),
            new Magic("VHDX", 0, "vhdxfile"),
            new Magic("VDI", 0x40, "\u007f\u0010\u00da\u00be"),
            new Magic("Parallels", 0, "WithoutFreeSpace"),
            new Magic("Parallels", 0, "WithouFreSpacExt"));

    private static final ImmutableList<Magic> COMPRESSED = ImmutableList.of(
            new Magic("gzip", 0, "\u001f\u008b\b"),
            new Magic("xz", 0, "\u00fd7zXZ\0"),
            new Magic("zstd", 0, "(\u00b5/\u00fd"),
            new Magic("bzip2", 0, "BZh"));

    /** A fixed VHD is a raw disk with a footer in its last 512 bytes. Virtual Hard Disk Image Format, "Hard Disk Footer". */
    private static boolean hasVhdFooter(Storage storage) throws IOException {
        long size = storage.size();
        if (size < 512) {
            return false;
        }
        ByteBuffer footer = ByteBuffer.allocate(8);
        storage.read(size - 512, footer);
        return VHD.matches(footer.flip());
    }
}
