package dev.platter.linux;

import dev.platter.testkit.ReferenceTools;
import dev.platter.testkit.TempImages;
import dev.platter.testkit.ToolResult;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.List;

/** Disks that the tests of the guest make, and what they do to devices with the system's own programs. */
final class GuestDisk {
    static final long MIB = 1 << 20;

    private GuestDisk() {}

    /** Makes a raw disk with two partitions of 40 and 20 MiB. */
    static Path partitioned(Path folder, String name) throws IOException {
        Path raw = TempImages.sparse(folder, name, 64 * MIB);
        sfdisk(raw, "label: gpt\nstart=2048, size=81920, type=L\nsize=40960, type=L\n");
        return raw;
    }

    /** Makes a raw disk whose second partition is the physical volume of a group vg0 with volumes root and a second one. */
    static Path withVolumes(Path folder, String name, String content) throws IOException {
        Path raw = TempImages.sparse(folder, name, 96 * MIB);
        sfdisk(raw, "label: dos\nstart=2048, size=4096, type=83\nstart=8192, type=8e\n");
        String loop = losetup("--partscan", raw);
        try {
            lvm("pvcreate", "-ff", "-y", loop + "p2");
            lvm("vgcreate", "vg0", loop + "p2");
            // root in two pieces with the other one between them
            lvm("lvcreate", "-y", "-n", "root", "-L", "24M", "vg0");
            lvm("lvcreate", "-y", "-n", "my-data", "-L", "12M", "vg0");
            lvm("lvextend", "-y", "-L", "+16M", "vg0/root");
            ReferenceTools.runOk("mkfs.ext4", "-q", "/dev/vg0/root");
            writeFile(Path.of("/dev/vg0/root"), folder, "name", content);
            lvm("vgchange", "-an", "vg0");
        } finally {
            ReferenceTools.runOk("losetup", "--detach", loop);
        }
        return raw;
    }

    /**
     * Makes two raw disks that are the physical volumes of a group vg0: the volume data lies on both of them, root on the
     * first one.
     *
     * @param content of the file "name" in each volume, behind the name of the volume
     */
    static List<Path> spanned(Path folder, String content) throws IOException {
        Path one = TempImages.sparse(folder, "first.raw", 48 * MIB);
        Path two = TempImages.sparse(folder, "second.raw", 48 * MIB);
        String first = losetup("--nooverlap", one);
        String second = losetup("--nooverlap", two);
        try {
            lvm("vgcreate", "vg0", first, second);
            lvm("lvcreate", "-y", "-n", "root", "-L", "16M", "vg0", first);
            lvm("lvcreate", "-y", "-n", "data", "-l", "100%FREE", "vg0");
            for (String volume : List.of("root", "data")) {
                Path device = Path.of("/dev/vg0", volume);
                ReferenceTools.runOk("mkfs.ext4", "-q", device.toString());
                writeFile(device, folder, "name", volume + content);
            }
            lvm("vgchange", "-an", "vg0");
        } finally {
            ReferenceTools.runOk("losetup", "--detach", first, second);
        }
        return List.of(one, two);
    }

    private static void sfdisk(Path raw, String table) throws IOException {
        Path script = raw.resolveSibling(raw.getFileName() + ".sfdisk");
        Files.writeString(script, table);
        ReferenceTools.runOk("sh", "-c", "sfdisk --quiet '" + raw + "' < '" + script + "'");
    }

    static String losetup(String option, Path file) throws IOException {
        return ReferenceTools.runOk("losetup", "--find", "--show", option, file.toString())
                .stdout()
                .strip();
    }

    /** Runs a command of LVM, which finds no udev here. */
    static String lvm(String... command) throws IOException {
        String[] full = new String[command.length + 2];
        System.arraycopy(command, 0, full, 0, command.length);
        full[command.length] = "--config";
        full[command.length + 1] = "activation{udev_sync=0 udev_rules=0} devices{obtain_device_list_from_udev=0}";
        return ReferenceTools.runOk(full).stdout();
    }

    /** What the LVM of this host says of all that it sees. */
    static String lvmState() throws IOException {
        return lvm("pvs", "-o", "pv_name,pv_uuid,vg_name,pv_size")
                + lvm("vgs", "-o", "vg_name,vg_uuid,vg_seqno,lv_count")
                + lvm("lvs", "-a", "-o", "lv_full_name,lv_uuid,lv_active,lv_size");
    }

    static Path mount(Path device, Path folder, String options) throws IOException {
        Path point = Files.createTempDirectory(folder, "mount");
        ReferenceTools.runOk("mount", "-o", options, device.toString(), point.toString());
        return point;
    }

    static void umount(Path point) throws IOException {
        ReferenceTools.runOk("umount", point.toString());
        Files.delete(point);
    }

    static void writeFile(Path device, Path folder, String name, String content) throws IOException {
        Path point = mount(device, folder, "rw");
        try {
            Files.writeString(point.resolve(name), content, StandardOpenOption.CREATE_NEW);
        } finally {
            umount(point);
        }
    }

    static String readFile(Path device, Path folder, String name) throws IOException {
        Path point = mount(device, folder, "ro,noload");
        try {
            return Files.readString(point.resolve(name));
        } finally {
            umount(point);
        }
    }

    /** Reads some blocks by another program, whose memory is not ours. */
    static ToolResult dd(String... operands) throws IOException {
        String[] command = new String[operands.length + 1];
        command[0] = "dd";
        System.arraycopy(operands, 0, command, 1, operands.length);
        return ReferenceTools.run(command);
    }

    /** Returns a text that fills a few blocks, and differs from offset to offset. */
    static String text(int seed, int bytes) {
        StringBuilder text = new StringBuilder(bytes);
        for (int i = 0; text.length() < bytes; i++) {
            text.append(Integer.toHexString(i * 0x9E3779B1 + seed)).append('\n');
        }
        return new String(text.substring(0, bytes).getBytes(StandardCharsets.US_ASCII), StandardCharsets.US_ASCII);
    }
}
