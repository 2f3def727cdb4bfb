package dev.platter.linux;

import static org.assertj.core.api.Assertions.assertThat;

import dev.platter.core.DiskImage;
import dev.platter.core.DiskImages;
import dev.platter.core.OpenOptions;
import dev.platter.testkit.ReferenceTools;
import dev.platter.testkit.TempImages;
import dev.platter.testkit.ToolResult;
import java.io.BufferedReader;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Objects;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** A server that is killed, or stopped, leaves nothing that hangs, and nothing that cannot be cleaned. */
class KilledProcessTest {
    private static final String TAG = "test-of-kill";

    @TempDir
    @SuppressWarnings("NullAway.Init") // by JUnit
    private Path folder;

    /** Binds an image as a file system's device and waits to be killed. */
    static final class Server {
        private Server() {}

        public static void main(String[] arguments) throws IOException {
            DiskImage image = DiskImages.open(
                    Path.of(arguments[0]),
                    OpenOptions.builder().format(arguments[1]).writable(true).build());
            BindOptions options = BindOptions.writable().tag(TAG);
            if (arguments.length > 2) {
                options = options.timeout(Duration.ofSeconds(Long.parseLong(arguments[2])));
            }
            Binding binding = LinuxBindings.bind(image, options);
            System.out.println(binding.device());
            System.out.flush();
            // until the test is gone
            System.in.readAllBytes();
            binding.close();
        }
    }

    @BeforeEach
    void assumeFuse() throws IOException {
        KernelDevices.assumeFuse();
        ReferenceTools.assumeTool("mkfs.ext4");
    }

    @AfterEach
    void nothingIsLeft() throws IOException {
        KernelDevices.assertNothingLeft(folder, TAG);
    }

    private static Process start(Path image, String... more) throws IOException {
        return new ProcessBuilder(command(image, more))
                .redirectError(ProcessBuilder.Redirect.INHERIT)
                .start();
    }

    private static List<String> command(Path image, String... more) {
        return command(Server.class, image, more);
    }

    /** Returns the command that runs a program of the tests on an image. */
    static List<String> command(Class<?> program, Path image, String... more) {
        String separator = System.getProperty("path.separator");
        List<String> path = new ArrayList<>(List.of("target/classes", "target/test-classes"));
        for (String property : List.of("jdk.module.path", "java.class.path")) {
            String value = System.getProperty(property);
            if (value != null && !value.isEmpty()) {
                path.add(value);
            }
        }
        List<String> command = new ArrayList<>(List.of(
                Path.of(System.getProperty("java.home"), "bin", "java").toString(),
                "-Xmx128m",
                "-XX:+UseSerialGC",
                "-cp",
                String.join(separator, path),
                program.getName(),
                image.toString()));
        command.addAll(List.of(more));
        return command;
    }

    private static Path deviceOf(Process server) throws IOException {
        // not closed: that would be the end of the server
        BufferedReader reader = server.inputReader(StandardCharsets.UTF_8);
        return Path.of(Objects.requireNonNull(reader.readLine(), "the server ended"));
    }

    private Path image(String format) throws IOException {
        Path raw = TempImages.sparse(folder, "disk.raw", 32 << 20);
        ReferenceTools.runOk("mkfs.ext4", "-q", raw.toString());
        return format.equals("raw") ? raw : TempImages.qemuConvert(raw, "disk.qcow2", format);
    }

    @Test
    void mountOnAKilledServerFailsAtOnceAndIsCleaned() throws Exception {
        Path point = Files.createDirectory(folder.resolve("mnt"));
        Process server = start(image("qcow2"), "qcow2");
        try {
            Path device = deviceOf(server);
            ReferenceTools.runOk("mount", device.toString(), point.toString());
            Files.write(point.resolve("file"), new byte[1 << 20]);
        } finally {
            server.destroyForcibly().waitFor();
        }
        assertThat(LinuxBindings.list()).anyMatch(info -> info.tag().equals(TAG) && !info.alive());
        // what is not in the cache has to come from the dead server
        ToolResult sync = ReferenceTools.run(null, List.of("sync", "-f", point.toString()), 60);
        assertThat(sync.exit()).isNotZero();

        LinuxBindings.release(TAG);

        assertThat(MountTable.at(point)).isNull();
    }

    @Test
    void rawDeviceOfAKilledProcessWorksOnUntilItIsReleased() throws Exception {
        Path file = image("raw");
        Process server = start(file, "raw");
        Path device;
        try {
            device = deviceOf(server);
        } finally {
            server.destroyForcibly().waitFor();
        }
        assertThat(LoopDevice.find(file)).hasSize(1);
        assertThat(Files.readAllBytes(device)).isEqualTo(Files.readAllBytes(file));

        LinuxBindings.releaseDead();

        assertThat(LoopDevice.find(file)).isEmpty();
    }

    @Test
    void withoutTheRightToItTheCapabilityIsNamed() throws IOException {
        ReferenceTools.assumeTool("setpriv");
        List<String> command = new ArrayList<>(List.of("setpriv", "--bounding-set", "-sys_admin"));
        command.addAll(command(image("raw").toAbsolutePath(), "raw"));

        ToolResult result = ReferenceTools.run(Path.of("").toAbsolutePath(), command, 60);

        assertThat(result.exit()).isNotZero();
        assertThat(result.stderr())
                .contains("the capability CAP_SYS_ADMIN is missing")
                .contains("platter inspect, platter nbd");
    }

    @Test
    void stoppedServerFailsAfterTheLimit() throws Exception {
        Process server = start(image("qcow2"), "qcow2", "2");
        try {
            Path device = deviceOf(server);
            ReferenceTools.runOk("kill", "-STOP", Long.toString(server.pid()));

            ToolResult read = ReferenceTools.run(
                    null, List.of("dd", "if=" + device, "of=/dev/null", "bs=4096", "count=1", "iflag=direct"), 60);

            assertThat(read.exit()).isNotZero();
            assertThat(read.stderr()).contains("Input/output error");
        } finally {
            server.destroyForcibly().waitFor();
        }
        Path file = RunFolder.DEFAULT.resolve(TAG).resolve("disk");
        assertThat(Waiting.until(() -> !FuseFile.isMounted(file), 20_000))
                .as("the watchdog unmounts when the server is gone")
                .isTrue();
        LinuxBindings.release(TAG);
    }
}
