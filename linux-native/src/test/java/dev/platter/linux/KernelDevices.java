package dev.platter.linux;

import static org.assertj.core.api.Assertions.assertThat;

import dev.platter.core.BlockIOException;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Objects;
import java.util.stream.Stream;
import org.opentest4j.TestAbortedException;

/** What the tests of devices need of the system, and what they must not leave there. */
final class KernelDevices {
    private static final long MILLIS = 5_000;

    private KernelDevices() {}

    /** Skips the test where loop devices cannot be made. */
    static void assumeLoop() throws IOException {
        try {
            LinuxSystem.require(LinuxSystem.Purpose.MAKE);
        } catch (BlockIOException e) {
            throw new TestAbortedException(e.getMessage());
        }
        if (!Files.isWritable(Path.of("/dev/loop-control"))) {
            throw new TestAbortedException("/dev/loop-control is missing");
        }
    }

    /** Loads the driver of loop devices, which the kernel of a virtual machine has as a module. */
    static void loadLoop() throws IOException {
        assertThat(KernelModule.load("loop")).isNull();
    }

    /** Skips the test where files cannot be served. */
    static void assumeFuse() throws IOException {
        assumeLoop();
        if (!Files.isWritable(Path.of("/dev/fuse"))) {
            throw new TestAbortedException("/dev/fuse is missing");
        }
    }

    /** Returns the status of a device that is bound. */
    static LoopStatus statusOf(Path device) {
        return Objects.requireNonNull(LoopStatus.of(device), device + " is not bound");
    }

    /** Returns how many files this process has open. */
    static long openFiles() throws IOException {
        try (Stream<Path> all = Files.list(Path.of("/proc/self/fd"))) {
            return all.count();
        }
    }

    /** Asserts that nothing is left of the devices of a test: of files in its folder, or of these tags. */
    static void assertNothingLeft(Path folder, String... tags) throws IOException {
        List<String> roots = new ArrayList<>(List.of(folder.toRealPath() + "/"));
        for (String tag : tags) {
            roots.add(RunFolder.DEFAULT + "/" + tag + "/");
            assertThat(RunFolder.DEFAULT.resolve(tag)).doesNotExist();
            String mapped = "platter-" + tag.replace("-", "--") + "-";
            assertThat(DeviceMapper.list()).noneMatch(name -> name.startsWith(mapped));
        }
        for (String root : roots) {
            assertThat(LoopDevice.list()).extracting(LoopStatus::backingFile).noneMatch(file -> file.startsWith(root));
            assertThat(MountTable.read())
                    .extracting(MountTable.Mount::point)
                    .noneMatch(point -> point.startsWith(root));
        }
        boolean quiet = Waiting.until(
                () -> ProcessHandle.current()
                        .children()
                        .noneMatch(child -> child.info()
                                .arguments()
                                .map(all -> List.of(all).contains("platter-watchdog"))
                                .orElse(false)),
                MILLIS);
        assertThat(quiet).as("no watchdog is left").isTrue();
    }
}
