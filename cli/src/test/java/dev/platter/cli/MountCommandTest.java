package dev.platter.cli;

import static org.assertj.core.api.Assertions.assertThat;

import dev.platter.linux.BindingInfo;
import dev.platter.linux.LinuxBindings;
import dev.platter.linux.LoopDevice;
import dev.platter.linux.MountTable;
import dev.platter.testkit.ReferenceTools;
import dev.platter.testkit.ServerProcess;
import dev.platter.testkit.TempImages;
import dev.platter.testkit.ToolResult;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/** {@code platter mount} and {@code umount}: the recipes that people follow, each as one line. */
final class MountCommandTest extends DeviceCommandTest {
    /** Where the group vg0 of the sample guest begins: label and metadata are in the first MiB. */
    private static final long PV_OFFSET = 17 << 20;

    private ToolResult mount(Object... words) throws IOException {
        List<Object> all = new ArrayList<>(List.of("--tag", TAG));
        all.addAll(List.of(words));
        all.add("mnt");
        return Launched.runIn(folder, "mount", all.toArray());
    }

    private void umount() {
        Cli.run("umount", point).assertExit(0);
    }

    private String read(String name) throws IOException {
        return Files.readString(point.resolve(name));
    }

    @Test
    void partitionOfARawImageIsReadWithoutAProcessAndWithoutAWrite() throws IOException {
        Path disk = MountedGuests.partitioned(folder);
        String before = MountedGuests.sha256(disk);

        mount("guest.img:/dev/sda1").assertSuccess();

        assertThat(read("hello")).isEqualTo("hello\n");
        assertThat(LinuxBindings.list()).extracting(BindingInfo::tag).doesNotContain(TAG);
        umount();
        mount("guest.img:/dev/sda2").assertSuccess();
        assertThat(point).isEmptyDirectory();
        umount();
        assertThat(MountedGuests.sha256(disk)).isEqualTo(before);
    }

    @ParameterizedTest
    @CsvSource({"raw, /dev/sda1", "raw, /dev/sda2", "qcow2, /dev/sda1", "qcow2, /dev/sda2"})
    void partitionIsWrittenAndReadAgain(String format, String device) throws IOException {
        Path disk = MountedGuests.partitioned(folder);
        String image = format.equals("raw") ? "guest.img" : "guest.qcow2";
        if (!format.equals("raw")) {
            TempImages.qemuConvert(disk, image, format);
        }

        mount("--writable", "-f", format, image + ":" + device).assertSuccess();

        Files.write(point.resolve("new"), new byte[3 << 20]);
        umount();
        if (format.equals("qcow2")) {
            ReferenceTools.runIn(folder, "qemu-img", "check", image).assertSuccess();
        }
        mount(image + ":" + device).assertSuccess();
        assertThat(Files.size(point.resolve("new"))).isEqualTo(3 << 20);
        umount();
    }

    @Test
    void bareFileSystemNeedsNoName() throws IOException {
        MountedGuests.ext4(folder);

        ToolResult mount = mount("ext4.img").assertSuccess();

        assertThat(read("hello")).isEqualTo("hello\n");
        assertThat(mount.stderr().lines()).hasSize(1);
        assertThat(mount.stderr()).startsWith("platter: warning: what is mounted is read by the kernel's own code");
        umount();
    }

    @Test
    void plainUmountUndoesItToo() throws IOException {
        TempImages.qemuConvert(MountedGuests.ext4(folder), "guest.qcow2", "qcow2");
        mount("-q", "guest.qcow2").assertSuccess();
        BindingInfo binding = binding();

        ReferenceTools.runOk("umount", point.toString());

        ProcessHandle.of(binding.process()).ifPresent(server -> server.onExit().join());
    }

    private static BindingInfo binding() throws IOException {
        return LinuxBindings.list().stream()
                .filter(info -> info.tag().equals(TAG))
                .findFirst()
                .orElseThrow();
    }

    @ParameterizedTest
    @ValueSource(strings = {"raw", "qcow2"})
    void logicalVolumeIsMountedUnderNoNameOfTheHost(String format) throws IOException {
        Path image = format.equals("raw") ? MountedGuests.rawLvmGuest(folder) : MountedGuests.LVM_GUEST;
        String before = MountedGuests.sha256(image);

        mount(image + ":/dev/vg0/root").assertSuccess();

        assertThat(point.resolve("etc")).isDirectory();
        if (ReferenceTools.isInstalled("pvs")) {
            String device = ReferenceTools.runOk("findmnt", "-no", "SOURCE", point.toString())
                    .stdout()
                    .strip();
            assertThat(ReferenceTools.run("pvs", "--noheadings", "-o", "pv_name")
                            .stdout())
                    .doesNotContain(device);
        }
        umount();
        assertThat(MountedGuests.sha256(image)).isEqualTo(before);
    }

    @ParameterizedTest
    @ValueSource(strings = {"raw", "qcow2"})
    void logicalVolumeIsWrittenAndTheGroupIsNot(String format) throws IOException {
        Path raw = MountedGuests.rawLvmGuest(folder);
        String before = MountedGuests.sha256(raw, PV_OFFSET, 1 << 20);
        Path image = format.equals("raw") ? raw : TempImages.qemuConvert(raw, "lvm.qcow2", format);

        mount("--writable", "-f", format, image + ":/dev/vg0/home").assertSuccess();

        Files.writeString(point.resolve("new"), "new\n");
        umount();
        mount(image + ":/dev/vg0/home").assertSuccess();
        assertThat(read("new")).isEqualTo("new\n");
        umount();
        if (format.equals("qcow2")) {
            ReferenceTools.runOk("qemu-img", "convert", "-f", format, "-O", "raw", image.toString(), raw.toString());
        }
        assertThat(MountedGuests.sha256(raw, PV_OFFSET, 1 << 20)).isEqualTo(before);
    }

    @ParameterizedTest
    @ValueSource(strings = {"raw", "qcow2"})
    void volumeOnSeveralDisksIsWrittenAndReadAgain(String format) throws IOException {
        MountedGuests.spanned(folder);
        List<String> disks = new ArrayList<>();
        for (String name : List.of("one", "two")) {
            String disk = format.equals("raw") ? name + ".img" : name + ".qcow2";
            if (!format.equals("raw")) {
                TempImages.qemuConvert(folder.resolve(name + ".img"), disk, format);
            }
            disks.add(disk);
        }

        mount("--writable", "-f", format, disks.get(0), disks.get(1) + ":/dev/vg0/data")
                .assertSuccess();

        assertThat(binding().alive()).isTrue();
        assertThat(read("hello")).isEqualTo("hello\n");
        byte[] most = new byte[14 << 20];
        Arrays.fill(most, (byte) 'x');
        Files.write(point.resolve("new"), most);
        umount();
        mount("-f", format, disks.get(0), disks.get(1) + ":/dev/vg0/data").assertSuccess();
        assertThat(Files.readAllBytes(point.resolve("new"))).isEqualTo(most);
        umount();
        if (format.equals("qcow2")) {
            ReferenceTools.runIn(folder, "qemu-img", "check", disks.get(0)).assertSuccess();
            ReferenceTools.runIn(folder, "qemu-img", "check", disks.get(1)).assertSuccess();
        }
    }

    @Test
    void volumeOnSeveralDisksOfWhichOneIsMissingIsRefused() throws IOException {
        MountedGuests.spanned(folder);

        ToolResult mount = mount("one.img:/dev/vg0/data");

        assertThat(mount.exit()).isEqualTo(1);
        assertThat(mount.stderr())
                .contains("LV vg0/data: segment at LE 4 needs PV")
                .contains("not among the 1 device given");
    }

    @Test
    void windowsIsReadWithoutBeingRepaired() throws IOException {
        ReferenceTools.assumeTool("ntfs-3g");
        Path disk = MountedGuests.windows(folder);
        String before = MountedGuests.sha256(disk);

        mount("win7.img").assertSuccess();

        String type = ReferenceTools.runOk("findmnt", "-no", "FSTYPE", point.toString())
                .stdout()
                .strip();
        assertThat(type).isIn("ntfs3", "fuseblk");
        umount();
        assertThat(MountedGuests.sha256(disk)).isEqualTo(before);
    }

    @ParameterizedTest
    @ValueSource(strings = {"ext4", "xfs"})
    void journalThatWaitsIsNeitherReplayedNorWritten(String type) throws IOException {
        ReferenceTools.assumeTool("mkfs." + type);
        Path image = TempImages.sparse(folder, "busy.img", 320 << 20);
        ReferenceTools.runOk("mkfs." + type, "-q", image.toString());
        Path copy = folder.resolve("killed.img");
        try (var loop = dev.platter.testkit.LoopDevice.attach(image)) {
            ReferenceTools.runOk("mount", loop.path().toString(), point.toString());
            try {
                Files.writeString(point.resolve("hello"), "hello\n");
                ReferenceTools.runOk("sync", "-f", point.toString());
                Files.writeString(point.resolve("other"), "other\n");
                ReferenceTools.runOk("sync", point.resolve("other").toString());
                // as the disk of a guest whose power went
                ReferenceTools.runOk("cp", "--sparse=always", image.toString(), copy.toString());
            } finally {
                ReferenceTools.runOk("umount", point.toString());
            }
        }
        String before = MountedGuests.sha256(copy);

        ToolResult mount = mount("killed.img").assertSuccess();

        // what is only in the journal is not seen
        assertThat(point.toFile().list()).isNotNull();
        umount();
        assertThat(MountedGuests.sha256(copy)).isEqualTo(before);
        if (type.equals("ext4")) {
            assertThat(mount.stderr()).contains("/dev/sda: the ext4 was not left in order");
        }
    }

    @Test
    void remoteDiskIsMountedByItsAddress() throws IOException {
        try (ServerProcess server =
                ServerProcess.qemuNbd(folder, "-r", "-f", "qcow2", MountedGuests.LVM_GUEST.toString(), "-e", "4")) {
            String uri = server.uri("");

            Cli.run("df", uri).assertExit(0);
            mount(uri + ":/dev/vg0/root").assertSuccess();

            assertThat(point.resolve("etc")).isDirectory();
            umount();
        }
    }

    @Test
    void thereAreSeveralFileSystemsToChooseFrom() throws IOException {
        MountedGuests.partitioned(folder);

        ToolResult mount = mount("guest.img");

        assertThat(mount.exit()).isEqualTo(2);
        assertThat(mount.stderr())
                .contains("guest.img: there are 2 file systems in it, say which: guest.img:/dev/sda1 (ext4),"
                        + " guest.img:/dev/sda2 (xfs)");
        assertThat(mount.stderr().lines()).hasSize(1);
    }

    @ParameterizedTest
    @CsvSource(
            delimiter = '|',
            value = {
                "/dev/vg0/swap | holds swap, which cannot be mounted",
                "/dev/sda2 | holds LVM2_member, which cannot be mounted; the volumes in it can: /dev/vg0/root",
                "/dev/sda7 | there is no such device in the image",
            })
    void whatCannotBeMountedIsSaid(String device, String text) throws IOException {
        ToolResult mount = mount(MountedGuests.LVM_GUEST + ":" + device);

        assertThat(mount.exit()).isEqualTo(1);
        assertThat(mount.stderr()).contains(text);
        assertThat(mount.stderr().lines()).hasSize(1);
    }

    @Test
    void emptyDiskHasNothingToMount() throws IOException {
        TempImages.sparse(folder, "empty.img", 1 << 20);

        ToolResult mount = mount("empty.img");

        assertThat(mount.exit()).isEqualTo(1);
        assertThat(mount.stderr()).contains("empty.img: there is no file system in it that can be mounted");
    }

    @ParameterizedTest
    @ValueSource(strings = {"raw", "qcow2"})
    void nothingIsLeftWhenTheKernelRefusesTheFileSystem(String format) throws IOException {
        Path image = MountedGuests.ext4(folder);
        // its group descriptors, which only the kernel reads
        ReferenceTools.runOk(
                "sh",
                "-c",
                "yes | dd of=\"$0\" bs=1024 seek=2 count=1 iflag=fullblock conv=notrunc status=none",
                image.toString());
        Path broken = format.equals("raw") ? image : TempImages.qemuConvert(image, "broken.qcow2", format);

        ToolResult mount = mount("-q", broken);

        assertThat(mount.exit()).isEqualTo(1);
        assertThat(mount.stderr()).startsWith("platter: /dev/sda (ext4): mount: ");
        assertThat(mount.stderr().lines()).hasSize(1);
    }

    @Test
    void missingFolderIsSaidBeforeAnythingIsMade() throws IOException {
        ToolResult mount = Launched.runIn(folder, "mount", "--tag", TAG, "nofile", "nofolder");

        assertThat(mount.exit()).isEqualTo(1);
        assertThat(mount.stderr()).contains("nofolder: is no folder to mount on");
    }

    @Test
    void folderInUseStaysMountedAndSaysWhoUsesIt() throws IOException {
        MountedGuests.ext4(folder);
        mount("-q", "ext4.img").assertSuccess();
        Process user = ReferenceTools.builder(
                        List.of("tail", "-f", point.resolve("hello").toString()))
                .start();
        try {
            awaitOpen(user, point.resolve("hello"));

            Cli umount = Cli.run("umount", point).assertExit(1);

            assertThat(umount.err()).contains("busy").contains("tail (process " + user.pid() + ")");
            assertThat(read("hello")).isEqualTo("hello\n");
        } finally {
            ReferenceTools.end(user);
        }
        umount();
    }

    private static void awaitOpen(Process user, Path file) throws IOException {
        Path descriptors = Path.of("/proc", Long.toString(user.pid()), "fd");
        while (true) {
            try (var links = Files.newDirectoryStream(descriptors)) {
                for (Path link : links) {
                    if (isSame(link, file)) {
                        return;
                    }
                }
            }
            Thread.onSpinWait();
        }
    }

    private static boolean isSame(Path link, Path file) throws IOException {
        try {
            return Files.isSameFile(link, file);
        } catch (NoSuchFileException e) {
            // a pipe, or it was closed in the meantime
            return false;
        }
    }

    @Test
    void onlyWhatPlatterMountedIsUnmounted() throws IOException {
        ReferenceTools.runOk("mount", "-t", "tmpfs", "none", point.toString());
        try {
            Cli.run("umount", point).assertError(1, "is mounted from none, which platter did not bind; use umount");
        } finally {
            ReferenceTools.runOk("umount", point.toString());
        }
        Cli.run("umount", point).assertError(1, "nothing is mounted there");
    }

    @Test
    void mountOfAKilledServerIsUnmountedAndCleaned() throws IOException {
        TempImages.qemuConvert(MountedGuests.ext4(folder), "guest.qcow2", "qcow2");
        mount("-q", "guest.qcow2").assertSuccess();
        ProcessHandle server = ProcessHandle.of(binding().process()).orElseThrow();
        server.destroyForcibly();
        server.onExit().join();

        umount();

        assertThat(LoopDevice.list()).noneMatch(loop -> loop.backingFile().contains(TAG));
    }

    /** Makes an image in a folder that has no room for what its file system has. */
    private String onAFullDisk(String format) throws IOException {
        MountedGuests.small(folder, "small", 4);
        Path raw = MountedGuests.ext4(folder);
        String image = format.equals("raw") ? "small/ext4.img" : "small/guest.qcow2";
        if (format.equals("raw")) {
            ReferenceTools.runOk(
                    "cp",
                    "--sparse=always",
                    raw.toString(),
                    folder.resolve(image).toString());
        } else {
            TempImages.qemuConvert(raw, image, format);
        }
        return image;
    }

    private void fill(Path file) throws IOException {
        // it may be told already, and need not be
        ReferenceTools.run("dd", "if=/dev/urandom", "of=" + file, "bs=1M", "count=12");
    }

    @ParameterizedTest
    @ValueSource(strings = {"raw", "qcow2"})
    void whatCouldNotBeStoredIsToldByUmount(String format) throws IOException {
        String image = onAFullDisk(format);
        mount("-q", "--writable", "-f", format, image).assertSuccess();
        fill(point.resolve("new"));

        Cli umount = Cli.run("umount", point);

        umount.assertError(1, Path.of(image).getFileName().toString(), "what was written may not all be stored");
        assertThat(MountTable.at(point.toRealPath())).isNull();
        MountedGuests.endSmall(folder, "small");
    }

    @Test
    void whatCouldNotBeStoredIsKeptForWhoAsksIfAnotherProgramUnmounts() throws IOException {
        String image = onAFullDisk("qcow2");
        mount("-q", "--writable", image).assertSuccess();
        fill(point.resolve("new"));
        ProcessHandle server = ProcessHandle.of(binding().process()).orElseThrow();

        ReferenceTools.runOk("umount", point.toString());

        server.onExit().join();
        assertThat(Cli.run("bind", "--list").assertExit(0).lines())
                .anyMatch(line -> line.startsWith(TAG + "-loss: no device of ")
                        && line.contains("guest.qcow2 > whole disk: what was written may not all be stored")
                        && line.contains("No space left on device")
                        && line.endsWith("platter unbind " + TAG + "-loss forgets this"));
        Cli.run("unbind", TAG + "-loss")
                .assertError(1, "guest.qcow2 > whole disk: what was written may not all be stored");
        MountedGuests.assertNothingIsBound(TAG + "-loss");
        MountedGuests.endSmall(folder, "small");
    }

    @Test
    void jvmWithoutTheLauncherSaysWhatItLacks() throws IOException {
        TempImages.qemuConvert(MountedGuests.ext4(folder), "guest.qcow2", "qcow2");

        Cli run = Cli.run("mount", "-q", "--tag", TAG, folder.resolve("guest.qcow2"), point)
                .assertExit(1);

        assertThat(run.err()).contains("this image must be served: a JVM cannot fork: start platter mount instead");
    }

    @Test
    void rawImageIsMountedByTheJvmItself() throws IOException {
        MountedGuests.ext4(folder);

        Cli.run("mount", "-q", "--tag", TAG, folder.resolve("ext4.img"), point).assertExit(0);

        assertThat(read("hello")).isEqualTo("hello\n");
        umount();
    }
}
