package dev.platter.cli;

import static org.assertj.core.api.Assertions.assertThat;

import dev.platter.linux.BindingInfo;
import dev.platter.linux.LinuxBindings;
import dev.platter.linux.LoopDevice;
import dev.platter.linux.MountTable;
import dev.platter.testkit.ReferenceTools;
import dev.platter.testkit.TempImages;
import java.io.IOException;
import java.io.RandomAccessFile;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.ArrayList;
import java.util.HexFormat;
import java.util.List;
import org.opentest4j.TestAbortedException;

/** Guests for what needs devices of the kernel, and what must not be left of them. */
final class MountedGuests {
    /** A guest with an ext4 partition, and a group vg0 with an ext4 root and home and a swap volume. */
    static final Path LVM_GUEST = Path.of("..", "examples", "images", "lvm-guest.qcow2")
            .toAbsolutePath()
            .normalize();

    private static final long MIB = 1 << 20;
    private static final long EXT4_BYTES = 24 * MIB;
    private static final long XFS_BYTES = 320 * MIB;

    private MountedGuests() {}

    /** Skips the test where devices cannot be made. */
    static void assumeDevices() {
        try {
            LinuxBindings.requireDevices();
        } catch (IOException e) {
            throw new TestAbortedException(e.getMessage());
        }
        for (String device : List.of("/dev/loop-control", "/dev/fuse")) {
            if (!Files.isWritable(Path.of(device))) {
                throw new TestAbortedException(device + " is missing");
            }
        }
        ReferenceTools.assumeTool("setsid");
    }

    /** Makes a raw disk: /dev/sda1 is ext4 with a file "hello", /dev/sda2 is XFS and empty. */
    static Path partitioned(Path folder) throws IOException {
        ReferenceTools.assumeTool("sfdisk");
        ReferenceTools.assumeTool("mkfs.xfs");
        Path disk = TempImages.sparse(folder, "guest.img", MIB + EXT4_BYTES + XFS_BYTES);
        Path layout = Files.writeString(
                folder.resolve("layout"),
                "label: dos\n2048," + EXT4_BYTES / 512 + ",83\n" + (2048 + EXT4_BYTES / 512) + "," + XFS_BYTES / 512
                        + ",83\n");
        ReferenceTools.runOk(
                "sh", "-c", "exec \"$0\" -q \"$1\" <\"$2\"", tool("sfdisk"), disk.toString(), layout.toString());
        put(ext4(folder), disk, MIB);
        Path xfs = TempImages.sparse(folder, "xfs", XFS_BYTES);
        ReferenceTools.runOk("mkfs.xfs", "-q", xfs.toString());
        put(xfs, disk, MIB + EXT4_BYTES);
        return disk;
    }

    /** Makes an ext4 file system with a file "hello", without a partition table. */
    static Path ext4(Path folder) throws IOException {
        ReferenceTools.assumeTool("mkfs.ext4");
        Path files = Files.createDirectory(folder.resolve("files"));
        Files.writeString(files.resolve("hello"), "hello\n");
        Path image = TempImages.sparse(folder, "ext4.img", EXT4_BYTES);
        ReferenceTools.runOk("mkfs.ext4", "-q", "-d", files.toString(), image.toString());
        return image;
    }

    /**
     * Makes two raw disks, one.img and two.img: the physical volumes of a group vg0 whose volume data is an ext4 file system
     * with a file "hello", 16 MiB of it on the first disk and the rest on the second.
     */
    static void spanned(Path folder) throws IOException {
        ReferenceTools.assumeTool("lvm");
        Path one = TempImages.sparse(folder, "one.img", 18 * MIB);
        Path two = TempImages.sparse(folder, "two.img", 18 * MIB);
        try (var first = dev.platter.testkit.LoopDevice.attach(one);
                var second = dev.platter.testkit.LoopDevice.attach(two)) {
            List<Path> devices = List.of(first.path(), second.path());
            lvm(
                    devices,
                    "vgcreate",
                    "vg0",
                    first.path().toString(),
                    second.path().toString());
            String[] extents = {first.path() + ":0-3", second.path() + ":0-1"};
            lvm(devices, "lvcreate", "-y", "-an", "-Zn", "-Wn", "-n", "data", "-l", "6", "vg0", extents[0], extents[1]);
        }
        Path ext4 = ext4(folder);
        for (String piece : List.of("of=" + one + " count=16", "of=" + two + " skip=16")) {
            ReferenceTools.runOk(
                    "sh", "-c", "dd if=" + ext4 + " bs=1M seek=1 conv=notrunc,sparse status=none " + piece);
        }
        Files.delete(ext4);
    }

    /** Runs a command of LVM that sees these devices only, and needs no device-mapper. */
    private static void lvm(List<Path> devices, String... command) throws IOException {
        StringBuilder filter = new StringBuilder();
        devices.forEach(device -> filter.append("\"a|^").append(device).append("$|\","));
        List<String> full = new ArrayList<>(List.of("lvm"));
        full.addAll(List.of(command));
        full.addAll(List.of(
                "--driverloaded",
                "n",
                "--config",
                "devices{use_devicesfile=0 filter=[" + filter + "\"r|.*|\"]} global{activation=0 event_activation=0}"
                        + " backup{backup=0 archive=0}"));
        ReferenceTools.run(full).assertSuccess();
    }

    /** Makes a disk with one NTFS partition, as Windows has them. */
    static Path windows(Path folder) throws IOException {
        ReferenceTools.assumeTool("sfdisk");
        ReferenceTools.assumeTool("mkntfs");
        Path disk = TempImages.sparse(folder, "win7.img", 41 * MIB);
        Path layout = Files.writeString(folder.resolve("layout"), "label: dos\n2048,81920,7\n");
        ReferenceTools.runOk(
                "sh", "-c", "exec \"$0\" -q \"$1\" <\"$2\"", tool("sfdisk"), disk.toString(), layout.toString());
        Path ntfs = TempImages.sparse(folder, "ntfs", 40 * MIB);
        ReferenceTools.runOk("mkntfs", "-Q", "-F", "-q", "-L", "System", "-p", "2048", ntfs.toString());
        put(ntfs, disk, MIB);
        return disk;
    }

    /** Unmounts it; the kernel closes the file of a loop device that has gone a moment after it. */
    static void endSmall(Path folder, String name) throws IOException {
        ReferenceTools.runOk("umount", "-l", folder.resolve(name).toString());
    }

    /** Mounts a file system with room for some MiB. */
    static void small(Path folder, String name, int mebibytes) throws IOException {
        Path point = Files.createDirectory(folder.resolve(name));
        ReferenceTools.runOk("mount", "-t", "tmpfs", "-o", "size=" + mebibytes + "m", "none", point.toString());
    }

    private static String tool(String name) {
        return ReferenceTools.locate(name).toString();
    }

    /** Writes a file into another, and leaves its holes out. */
    private static void put(Path part, Path disk, long offset) throws IOException {
        ReferenceTools.runOk(
                "dd",
                "if=" + part,
                "of=" + disk,
                "bs=1M",
                "seek=" + offset / MIB,
                "conv=notrunc,sparse",
                "status=none");
        Files.delete(part);
    }

    /** Returns the raw bytes of the guest with the group. */
    static Path rawLvmGuest(Path folder) throws IOException {
        ReferenceTools.assumeTool("qemu-img");
        Path raw = folder.resolve("lvm.img");
        ReferenceTools.runOk("qemu-img", "convert", "-O", "raw", LVM_GUEST.toString(), raw.toString());
        return raw;
    }

    static String sha256(Path file) throws IOException {
        return sha256(file, 0, Files.size(file));
    }

    static String sha256(Path file, long offset, long length) throws IOException {
        try (RandomAccessFile in = new RandomAccessFile(file.toFile(), "r")) {
            MessageDigest digest = MessageDigest.getInstance("SHA-256");
            byte[] chunk = new byte[1 << 20];
            in.seek(offset);
            for (long left = length; left > 0; ) {
                int read = in.read(chunk, 0, (int) Math.min(chunk.length, left));
                digest.update(chunk, 0, read);
                left -= read;
            }
            return HexFormat.of().formatHex(digest.digest());
        } catch (NoSuchAlgorithmException e) {
            throw new IllegalStateException(e);
        }
    }

    /** Asserts that there is no device on a file of a folder, no mount in it, and no binding of a tag. */
    static void assertNothingLeft(Path folder, String tag) throws IOException {
        String root = folder.toRealPath() + "/";
        assertThat(LoopDevice.list())
                .noneMatch(loop -> loop.backingFile().startsWith(root)
                        || loop.backingFile().startsWith("/run/platter/" + tag + "/"));
        assertThat(MountTable.read())
                .noneMatch(mount ->
                        mount.point().startsWith(root) || mount.point().startsWith("/run/platter/" + tag + "/"));
        assertNothingIsBound(tag);
    }

    static void assertNothingIsBound(String tag) throws IOException {
        assertThat(LinuxBindings.list()).extracting(BindingInfo::tag).doesNotContain(tag);
    }

    /** Takes away what a test that failed left: bindings of a tag, and of tags that begin with it. */
    static void clean(Path folder, String tag) throws IOException {
        String root = folder.toRealPath() + "/";
        List<MountTable.Mount> mounts = MountTable.read();
        for (int i = mounts.size() - 1; i >= 0; i--) {
            if (mounts.get(i).point().startsWith(root)) {
                ReferenceTools.run("umount", "-l", mounts.get(i).point());
            }
        }
        for (BindingInfo binding : LinuxBindings.list()) {
            if (binding.tag().equals(tag) || binding.tag().startsWith(tag + "-")) {
                Cli.run("unbind", binding.tag());
            }
        }
    }
}
