package dev.platter.cli;

import static org.assertj.core.api.Assertions.assertThat;

import dev.platter.linux.BindingInfo;
import dev.platter.linux.LinuxBindings;
import dev.platter.linux.LoopDevice;
import dev.platter.linux.LoopStatus;
import dev.platter.testkit.ReferenceTools;
import dev.platter.testkit.TempImages;
import dev.platter.testkit.ToolResult;
import java.io.BufferedReader;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/** {@code platter bind} and {@code unbind} as processes of their own. */
final class BindCommandTest extends DeviceCommandTest {
    /** Volumes, and partitions beside them, belong to device-mapper where the kernel has it. */
    private static final String PART = "/dev/(loop\\d+(p\\d+)?|mapper/platter-\\S+)";

    /** A command in the foreground, and what it printed until the devices were there. */
    private record Running(Process process, List<String> lines) implements AutoCloseable {
        static Running start(Object... words) throws IOException {
            List<Object> all = new ArrayList<>(List.of("--tag", TAG));
            all.addAll(List.of(words));
            Process process = Launched.builder("bind", all.toArray())
                    .redirectError(ProcessBuilder.Redirect.DISCARD)
                    .start();
            List<String> lines = new ArrayList<>();
            // not closed: the command would not like that
            BufferedReader out = process.inputReader(StandardCharsets.UTF_8);
            String line = out.readLine();
            while (line != null) {
                lines.add(line);
                line = line.startsWith("platter unbind ") ? null : out.readLine();
            }
            return new Running(process, lines);
        }

        List<String> mountLines() {
            return lines.stream().filter(line -> line.startsWith("mount ")).toList();
        }

        Path device() {
            return Path.of(lines.get(0).split(" ", -1)[0]);
        }

        int await() throws InterruptedException {
            assertThat(process.waitFor(1, TimeUnit.MINUTES)).isTrue();
            return process.exitValue();
        }

        @Override
        public void close() {
            process.destroy();
            try {
                if (!process.waitFor(20, TimeUnit.SECONDS)) {
                    ReferenceTools.end(process);
                }
            } catch (InterruptedException e) {
                throw new AssertionError(e);
            }
        }
    }

    private static ToolResult unshared(String script) throws IOException {
        return ReferenceTools.run("unshare", "--mount", "sh", "-c", "mount -t tmpfs none /run && " + script);
    }

    @ParameterizedTest
    @CsvSource({"raw, auto", "raw, fuse", "qcow2, auto", "qcow2, fuse"})
    void devicesAndTheirMountLinesArePrintedAndWork(String format, String way) throws Exception {
        Path image = format.equals("raw") ? MountedGuests.rawLvmGuest(folder) : MountedGuests.LVM_GUEST;
        String before = MountedGuests.sha256(image);

        try (Running bind = Running.start("--partitions", "--volumes", "--as", way, image)) {
            assertThat(bind.lines().get(0)).matches("/dev/loop\\d+ +/dev/sda +96M");
            assertThat(bind.lines().get(1)).matches(PART + " +/dev/sda1 +16M +ext4");
            assertThat(bind.lines())
                    .anyMatch(line -> line.matches(PART + " +/dev/vg0/root +40M +ext4"))
                    .anyMatch(line -> line.matches(PART + " +/dev/vg0/swap +8.0M +swap"))
                    .noneMatch(line -> line.contains("/dev/sda2"));
            assertThat(bind.mountLines())
                    .hasSize(3)
                    .allMatch(line -> line.matches("mount -o ro,nosuid,nodev,noexec,noload " + PART + " /mnt"));
            for (String line : bind.mountLines()) {
                ReferenceTools.runOk("sh", "-c", line.replace("/mnt", point.toString()));
                assertThat(point.resolve("lost+found")).isDirectory();
                ReferenceTools.runOk("umount", point.toString());
            }
            bind.process().destroy();
            assertThat(bind.await()).isZero();
        }
        assertThat(MountedGuests.sha256(image)).isEqualTo(before);
    }

    /** One of a raw image is the piece of the file where it lies; the others are served. */
    @ParameterizedTest
    @CsvSource({"raw, /dev/sda1, 16M", "raw, /dev/vg0/root, 40M", "qcow2, /dev/sda1, 16M", "qcow2, /dev/vg0/root, 40M"})
    void namedDeviceIsTheOnlyOneOfItsBinding(String format, String name, String size) throws Exception {
        Path image = format.equals("raw") ? MountedGuests.rawLvmGuest(folder) : MountedGuests.LVM_GUEST;
        String before = MountedGuests.sha256(image);

        try (Running bind = Running.start(image + ":" + name)) {
            assertThat(bind.lines()).hasSize(3);
            assertThat(bind.lines().get(0)).matches("/dev/loop\\d+ +" + name + " +" + size + " +ext4");
            LoopStatus loop = LoopDevice.list().stream()
                    .filter(status -> status.device().equals(bind.device()))
                    .findFirst()
                    .orElseThrow();
            assertThat(loop.backingFile())
                    .isEqualTo(format.equals("raw") ? image.toRealPath().toString() : "/run/platter/" + TAG + "/disk");
            ReferenceTools.runOk("sh", "-c", bind.mountLines().get(0).replace("/mnt", point.toString()));
            assertThat(point.resolve("lost+found")).isDirectory();
            ReferenceTools.runOk("umount", point.toString());
            bind.process().destroy();
            assertThat(bind.await()).isZero();
        }
        assertThat(MountedGuests.sha256(image)).isEqualTo(before);
    }

    @Test
    void partitionThatIsAPhysicalVolumeBeginsBehindItsLabel() throws Exception {
        Path raw = MountedGuests.rawLvmGuest(folder);
        try (Running bind = Running.start(raw + ":/dev/sda2")) {
            assertThat(bind.lines().get(0)).matches("/dev/loop\\d+ +/dev/sda2 +79M");
            ReferenceTools.runOk(
                    "cmp",
                    "--ignore-initial=0:" + ((17 << 20) + 4096),
                    bind.device().toString(),
                    raw.toString());
        }
    }

    @ParameterizedTest
    @ValueSource(strings = {"INT", "TERM", "HUP"})
    void signalUndoesAll(String signal) throws Exception {
        try (Running bind = Running.start("--partitions", "--volumes", MountedGuests.LVM_GUEST)) {
            ReferenceTools.runOk(
                    "kill", "-" + signal, Long.toString(bind.process().pid()));

            assertThat(bind.await()).isZero();
            MountedGuests.assertNothingLeft(folder, TAG);
        }
    }

    @Test
    void writableDeviceTakesAFileSystem() throws Exception {
        ReferenceTools.assumeTool("mkfs.xfs");
        Path image = TempImages.qemu(folder, "disk.qcow2", "qcow2", 320 << 20);
        try (Running bind = Running.start("--writable", image)) {
            ReferenceTools.runOk("mkfs.xfs", "-q", bind.device().toString());
            bind.process().destroy();
            assertThat(bind.await()).isZero();
        }
        ReferenceTools.runOk("qemu-img", "check", image.toString());
        try (Running bind = Running.start("--writable", image)) {
            assertThat(bind.mountLines())
                    .containsExactly("mount -o rw,nosuid,nodev,noexec,nouuid " + bind.device() + " /mnt");
        }
    }

    @Test
    void forkedOneIsListedAndUnboundByEachOfItsNames() throws Exception {
        for (String name : List.of("tag", "device", "partition")) {
            Path pid = folder.resolve("pid");
            ToolResult fork = Launched.runIn(
                    folder,
                    "bind",
                    "--fork",
                    "--pid-file",
                    "pid",
                    "--tag",
                    TAG,
                    "--partitions",
                    MountedGuests.LVM_GUEST);
            assertThat(fork.exit()).as(fork.stderr()).isZero();
            List<String> lines = fork.stdout().lines().toList();
            assertThat(lines.get(lines.size() - 1)).isEqualTo("platter unbind " + TAG);
            String device = lines.get(0).split(" ", -1)[0];
            long process = Long.parseLong(Files.readString(pid).strip());
            assertThat(Cli.run("bind", "--list").assertExit(0).lines())
                    .contains(TAG + ": " + device + " of " + MountedGuests.LVM_GUEST + ", process " + process);

            Cli.run(
                            "unbind",
                            switch (name) {
                                case "tag" -> TAG;
                                case "device" -> device;
                                default -> device + "p1";
                            })
                    .assertExit(0);

            MountedGuests.assertNothingLeft(folder, TAG);
            assertThat(ProcessHandle.of(process).filter(ProcessHandle::isAlive)).isEmpty();
        }
    }

    @ParameterizedTest
    @ValueSource(strings = {"in the foreground", "in the background", "by a signal"})
    void whatCouldNotBeStoredIsToldToWhoeverEndsTheBinding(String end) throws Exception {
        MountedGuests.small(folder, "small", 1);
        String name = "small/disk.qcow2";
        Path image = TempImages.qemu(folder, name, "qcow2", 64 << 20);
        String reason = name + ": what was written may not all be stored: ";
        if (end.equals("in the background")) {
            ToolResult bind = Launched.runIn(folder, "bind", "-q", "--fork", "--writable", "--tag", TAG, image);
            assertThat(bind.exit()).as(bind.stderr()).isZero();
            overfill(bind.stdout().lines().findFirst().orElseThrow().split(" ", -1)[0]);

            Cli.run("unbind", TAG).assertExit(1);
        } else {
            try (Running bind = Running.start("--writable", image)) {
                overfill(bind.device().toString());
                if (end.equals("by a signal")) {
                    bind.process().destroy();
                } else {
                    assertThat(Cli.run("unbind", TAG).assertExit(1).err()).contains(reason);
                }
                assertThat(bind.await()).isEqualTo(1);
            }
        }
        MountedGuests.assertNothingIsBound(TAG + "-loss");
        MountedGuests.endSmall(folder, "small");
    }

    private static void overfill(String device) throws IOException {
        ReferenceTools.run("dd", "if=/dev/urandom", "of=" + device, "bs=1M", "count=4", "conv=nocreat");
    }

    @Test
    void deviceInUseStaysAndItsUserIsNamed() throws Exception {
        Path image = TempImages.qemuConvert(MountedGuests.ext4(folder), "guest.qcow2", "qcow2");
        try (Running bind = Running.start(image)) {
            ReferenceTools.runOk("sh", "-c", bind.mountLines().get(0).replace("/mnt", point.toString()));
            try {
                Cli.run("unbind", TAG)
                        .assertError(1, bind.device() + ": is in use and stays: mounted on " + point.toRealPath());

                assertThat(Files.readString(point.resolve("hello"))).isEqualTo("hello\n");
                assertThat(bind.process().isAlive()).isTrue();
            } finally {
                ReferenceTools.runOk("umount", point.toString());
            }
        }
    }

    @Test
    void signalWaitsForTheLastMount() throws Exception {
        Path image = TempImages.qemuConvert(MountedGuests.ext4(folder), "guest.qcow2", "qcow2");
        try (Running bind = Running.start("--writable", image)) {
            ReferenceTools.runOk("sh", "-c", bind.mountLines().get(0).replace("/mnt", point.toString()));
            bind.process().destroy();
            Files.write(point.resolve("new"), new byte[1 << 20]);

            ReferenceTools.runOk("umount", point.toString());

            assertThat(bind.await()).isZero();
        }
        ReferenceTools.runOk("qemu-img", "check", image.toString());
    }

    @ParameterizedTest
    @ValueSource(strings = {"raw", "qcow2"})
    void whatAKilledProcessLeftIsListedAndCleaned(String format) throws Exception {
        Path raw = MountedGuests.ext4(folder);
        Path image = format.equals("raw") ? raw : TempImages.qemuConvert(raw, "guest.qcow2", format);
        try (Running bind = Running.start(image)) {
            bind.process().destroyForcibly();
            bind.process().onExit().join();
            assertThat(Cli.run("bind", "--list").assertExit(0).lines())
                    .anyMatch(line -> line.startsWith(TAG + ": " + bind.device())
                            && line.contains("whose process is gone; platter unbind " + TAG + " cleans up"));

            Cli.run("unbind", bind.device()).assertExit(0);
        }
    }

    /** In a namespace of mounts whose /run is empty: there may be bindings of others here. */
    @Test
    void allAreUnbound() throws Exception {
        ReferenceTools.assumeTool("unshare");
        Path image = TempImages.qemuConvert(MountedGuests.ext4(folder), "guest.qcow2", "qcow2");
        String bind = words(Launched.command("bind", "-q", "--fork", image));
        String binds = bind + " --tag a && " + bind + " --tag b --pid-file " + folder.resolve("pid");

        ToolResult all = unshared(binds + " && kill -9 $(cat " + folder.resolve("pid") + ") && "
                + words(Launched.command("unbind", "--all")) + " && " + words(Launched.command("bind", "--list"))
                + "; echo exit $?; ls -A /run/platter");

        assertThat(all.stdout().lines().filter(line -> line.startsWith("platter unbind ")))
                .containsExactly("platter unbind a", "platter unbind b");
        assertThat(all.stdout()).as(all.stderr()).endsWith("platter unbind b\nexit 0\n");
        assertThat(LoopDevice.list()).noneMatch(loop -> loop.backingFile().matches("/run/platter/[ab]/.*"));
    }

    private static String words(List<String> command) {
        StringBuilder text = new StringBuilder();
        for (String word : command) {
            text.append(" '").append(word.replace("'", "'\\''")).append('\'');
        }
        return text.toString();
    }

    @ParameterizedTest
    @CsvSource(
            delimiter = '|',
            value = {
                "--as loop {} | a loop device stands on a raw file",
                "--as nbd --pid-file no/pid {} | ",
                "--pid-file no/pid {} | Could not create 'no/pid'",
                "--volumes --pid-file no/pid {} | Could not create 'no/pid'",
                "{}:/dev/sda9 | there is no such device in the image",
                "nofile | no such file",
            })
    void nothingIsLeftWhateverFails(String line, String text) throws IOException {
        List<Object> words = new ArrayList<>(List.of("-q", "--tag", TAG));
        words.addAll(List.of((Object[])
                line.replace("{}", MountedGuests.LVM_GUEST.toString()).split(" ", -1)));

        ToolResult bind = Launched.runIn(folder, "bind", words.toArray());

        assertThat(bind.exit()).as(bind.stdout()).isEqualTo(1);
        assertThat(bind.stderr()).startsWith("platter: ").contains(text == null ? "" : text);
        MountedGuests.assertNothingLeft(folder, TAG);
    }

    @Test
    void fileSystemWhoseUuidTheHostHasIsWrittenToOnlyIfThatIsAllowed() throws Exception {
        Path image = MountedGuests.ext4(folder);
        String uuid = "5ac1a1b2-0000-4000-8000-"
                + String.format("%012d", ProcessHandle.current().pid());
        ReferenceTools.runOk("tune2fs", "-U", uuid, image.toString());
        Path own = folder.resolve("own.img");
        Files.copy(image, own);
        ReferenceTools.runOk("mount", "-o", "loop,ro,noload", own.toString(), point.toString());
        try {
            ToolResult refused = Launched.runIn(folder, "bind", "-q", "--writable", "-f", "raw", "--tag", TAG, image);

            assertThat(refused.exit()).isEqualTo(1);
            assertThat(refused.stderr().lines()).hasSize(1);
            assertThat(refused.stderr())
                    .contains("/dev/sda: holds ext4 with the UUID " + uuid + ", which this system has on /dev/loop")
                    .contains("bind it read-only, or allow duplicates (--allow-duplicates)");
            MountedGuests.assertNothingIsBound(TAG);

            for (List<String> options : List.of(List.<String>of(), List.of("--writable", "--allow-duplicates"))) {
                List<Object> words = new ArrayList<>(List.of("-q", "--fork", "--tag", TAG, "-f", "raw"));
                words.addAll(options);
                words.add(image);
                ToolResult bind = Launched.runIn(folder, "bind", words.toArray());
                assertThat(bind.exit()).as(bind.stderr()).isZero();
                assertThat(bind.stderr()).contains("the UUID " + uuid).contains("name it by its device");
                Cli.run("unbind", TAG).assertExit(0);
            }
        } finally {
            ReferenceTools.runOk("umount", point.toString());
        }
    }

    /** In a namespace of mounts whose /dev has the link that udev makes. */
    @Test
    void fileSystemWhoseLabelTheHostHasIsWrittenToOnlyIfThatIsAllowed() throws Exception {
        ReferenceTools.assumeTool("unshare");
        Path image = MountedGuests.ext4(folder);
        ReferenceTools.runOk("tune2fs", "-L", "my root", image.toString());
        try (var host = dev.platter.testkit.LoopDevice.attach(TempImages.sparse(folder, "host.img", 1 << 20))) {
            String bind = words(Launched.command("bind", "-q", "--tag", "a", "-f", "raw", "--writable"));
            String file = " '" + image + "'";

            ToolResult script = unshared("cd '" + folder + "' && mkdir dev dev/disk dev/disk/by-uuid dev/disk/by-label"
                    + " && for each in null zero random urandom loop-control fuse "
                    + host.path().getFileName()
                    + "; do cp -a /dev/$each dev; done && ln -s " + host.path() + " 'dev/disk/by-label/my\\x20root'"
                    + " && mount -t tmpfs none /dev && cp -a dev/. /dev"
                    + " && { " + bind + file + "; echo exit $?; " + bind + " --allow-duplicates --fork" + file
                    + "; echo exit $?; " + words(Launched.command("unbind", "a")) + "; }");

            assertThat(script.stdout().lines().filter(line -> line.startsWith("exit ")))
                    .as(script.stderr())
                    .containsExactly("exit 1", "exit 0");
            assertThat(script.stderr().lines())
                    .hasSize(2)
                    .allMatch(line -> line.contains(
                            "/dev/sda: has the label \"my root\", which this system has on " + host.path()));
        }
    }

    @Test
    void imageThatIsBoundForWritingIsNotBoundAgain() throws Exception {
        Path image = MountedGuests.ext4(folder);
        try (Running bind = Running.start("--writable", "-f", "raw", image)) {
            ToolResult again = Launched.runIn(folder, "bind", "-q", "--tag", TAG + "-2", "-f", "raw", image);

            assertThat(again.exit()).isEqualTo(1);
            assertThat(again.stderr()).contains("is bound to " + bind.device() + " already, for writing");
        }
    }

    @ParameterizedTest
    @ValueSource(strings = {"raw", "qcow2"})
    void ofTwoProcessesThatBindAnImageToWriteAtOnceOneGetsIt(String format) throws Exception {
        Path raw = MountedGuests.ext4(folder);
        Path image = format.equals("raw") ? raw : TempImages.qemuConvert(raw, "guest.qcow2", format);
        List<String> tags = List.of(TAG, TAG + "-2");
        List<Process> both = new ArrayList<>();
        for (String tag : tags) {
            both.add(Launched.builder("bind", "-q", "--fork", "--writable", "-f", format, "--tag", tag, image)
                    .redirectOutput(ProcessBuilder.Redirect.DISCARD)
                    .start());
        }
        List<Integer> exits = new ArrayList<>();
        StringBuilder messages = new StringBuilder();
        for (Process each : both) {
            messages.append(new String(each.getErrorStream().readAllBytes(), StandardCharsets.UTF_8));
            exits.add(each.waitFor());
        }
        try {
            assertThat(exits).as(messages.toString()).containsExactlyInAnyOrder(0, 1);
            assertThat(messages.toString().lines()).hasSize(1);
            assertThat(messages)
                    .contains("cannot be opened for writing: java (process ")
                    .contains("holds a lock on it");
        } finally {
            for (int i = 0; i < tags.size(); i++) {
                Cli.run("unbind", tags.get(i)).assertExit(exits.get(i));
            }
        }
    }

    @Test
    void tagThatIsInUseIsRefused() throws Exception {
        try (Running bind = Running.start(MountedGuests.LVM_GUEST)) {
            ToolResult again = Launched.runIn(folder, "bind", "-q", "--tag", TAG, MountedGuests.LVM_GUEST);

            assertThat(again.exit()).isEqualTo(1);
            assertThat(again.stderr()).contains("the tag " + TAG + " is in use");
            assertThat(bind.process().isAlive()).isTrue();
        }
    }

    @Test
    void snapshotIsBoundAsItWas() throws Exception {
        Path image = TempImages.qemuConvert(MountedGuests.ext4(folder), "guest.qcow2", "qcow2");
        ReferenceTools.runOk("qemu-img", "snapshot", "-c", "before", image.toString());
        ReferenceTools.runOk("qemu-io", "-c", "write -P 0 0 1M", image.toString());

        try (Running bind = Running.start("--snapshot", "before", image)) {
            assertThat(bind.lines().get(0)).matches("/dev/loop\\d+ +/dev/sda +24M +ext4");
        }
    }

    @ParameterizedTest
    @CsvSource(
            delimiter = '|',
            value = {
                "bind {} | devices of the kernel cannot be made | ; reading and serving work without (platter inspect,"
                        + " platter nbd)",
                "mount {} mnt | devices of the kernel cannot be made | ; reading and serving work without (platter"
                        + " inspect, platter nbd)",
                "bind --list | what is bound cannot be listed |",
                "unbind --all | devices of the kernel cannot be taken away |",
                "umount mnt | devices of the kernel cannot be taken away |",
            })
    void ordinaryUserIsToldWhatIsMissingAndWhatWorksWithout(String line, String what, String without)
            throws IOException {
        ReferenceTools.assumeTool("unshare");
        String[] words = line.replace("{}", MountedGuests.LVM_GUEST.toString()).split(" ", -1);

        ToolResult refused = unshared("cd '" + folder + "' && mkdir -m 700 /run/platter && " + asOrdinaryUser(words));

        assertThat(refused.exit()).isEqualTo(1);
        assertThat(refused.stdout()).isEmpty();
        assertThat(refused.stderr())
                .isEqualTo("platter: " + what + ": the capability CAP_SYS_ADMIN is missing, run as root"
                        + (without == null ? "" : without) + "\n");
    }

    private static String asOrdinaryUser(String... line) {
        ReferenceTools.assumeTool("setpriv");
        Object[] arguments = Arrays.copyOfRange(line, 1, line.length, Object[].class);
        return "setpriv --bounding-set -sys_admin --" + words(Launched.command(line[0], arguments));
    }

    @Test
    void ordinaryUserMayListWhereNothingWasEverBound() throws IOException {
        ReferenceTools.assumeTool("unshare");

        ToolResult list = unshared(asOrdinaryUser("bind", "--list"));

        assertThat(list.exit()).as(list.stderr()).isZero();
        assertThat(list.stdout()).isEmpty();
        assertThat(list.stderr()).isEmpty();
    }

    @Test
    void argumentsThatMakeNoSenseAreUsageErrors() {
        Cli.run("bind").assertError(2, "an IMAGE is missing", "try platter bind --help");
        Cli.run("bind", "--as=iscsi", MountedGuests.LVM_GUEST).assertError(2, "--as=iscsi is unknown");
        Cli.run("bind", "--tag", "a/b", "x").assertError(2, "--tag: \"a/b\" is not made of");
        Cli.run("bind", "--timeout=x", MountedGuests.LVM_GUEST).assertError(2, "--timeout=x is no number of seconds");
        Cli.run("bind", "--writable", "--snapshot", "a", MountedGuests.LVM_GUEST)
                .assertError(2, "exclude each other");
        Cli.run("bind", "--volumes", MountedGuests.LVM_GUEST + ":/dev/sda1").assertError(2, "are for whole disks");
        Cli.run("bind", MountedGuests.LVM_GUEST, MountedGuests.LVM_GUEST)
                .assertError(2, "several images need a device");
        Cli.run("bind", MountedGuests.LVM_GUEST + ":/dev/sda", MountedGuests.LVM_GUEST + ":/dev/sdb")
                .assertError(2, "two devices are named, /dev/sda and /dev/sdb");
        Cli.run("bind", "--fork", MountedGuests.LVM_GUEST)
                .assertError(1, "--fork: a JVM cannot fork: start platter bind");
        Cli.run("unbind").assertError(2, "name devices or bindings, or say --all");
        Cli.run("unbind", "--all", "x").assertError(2, "name devices or bindings, or say --all");
        Cli.run("unbind", "no-such-tag")
                .assertError(1, "nothing is bound by this name; platter bind --list shows what is");
        Cli.run("mount", "x").assertError(2, "try platter mount --help");
    }

    @Test
    void deviceIsFoundBehindTheLastColonUnlessAFileHasThatName() throws IOException {
        Path odd = Files.createDirectories(folder.resolve("a:/dev")).resolve("sda1");
        Files.write(odd, new byte[512]);

        assertThat(ImageDevice.parse("a.img").device()).isNull();
        assertThat(ImageDevice.parse("a.img:/dev/sda1").image()).hasToString("a.img");
        assertThat(ImageDevice.parse("a.img:/dev/vg0/root").device()).isEqualTo("/dev/vg0/root");
        assertThat(ImageDevice.parse("nbd://host:10809/x:/dev/sda1").device()).isEqualTo("/dev/sda1");
        assertThat(ImageDevice.parse("nbd://host:10809/x").device()).isNull();
        assertThat(ImageDevice.parse(odd.toString()).device()).isNull();
        assertThat(ImageDevice.parse(
                                "a.img:iSR6Sc-uINd-1wO0-gDDf-gdy6-pbsp-TCsU53/iSR6Sc-uINd-1wO0-gDDf-gdy6-pbsp-TCsU54")
                        .device())
                .startsWith("iSR6Sc");
    }

    @Test
    void bindingsOfOthersAreLeftAlone() throws IOException {
        List<BindingInfo> before = LinuxBindings.list();

        Cli.run("unbind", "/dev/loop99").assertExit(1);

        assertThat(LinuxBindings.list()).containsAll(before);
    }
}
