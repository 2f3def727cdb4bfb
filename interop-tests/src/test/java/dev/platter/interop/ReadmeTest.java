package dev.platter.interop;

import static org.assertj.core.api.Assertions.assertThat;

import dev.platter.core.BlockDevice;
import dev.platter.core.BlockIOException;
import dev.platter.core.BlockStatusSource;
import dev.platter.core.DiskImage;
import dev.platter.core.DiskImages;
import dev.platter.core.OpenOptions;
import dev.platter.inspect.ImageInspector;
import dev.platter.lvm.VolumeGroup;
import dev.platter.nbd.client.NbdClient;
import dev.platter.nbd.client.NbdClientOptions;
import dev.platter.nbd.client.NbdExport;
import dev.platter.nbd.server.Export;
import dev.platter.nbd.server.NbdServer;
import dev.platter.partition.Partition;
import dev.platter.qcow2.Qcow2Disk;
import java.io.IOException;
import java.lang.reflect.Method;
import java.net.ConnectException;
import java.net.InetSocketAddress;
import java.net.ServerSocket;
import java.nio.ByteBuffer;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.locks.LockSupport;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** What the README claims. */
class ReadmeTest {
    private static final Pattern COMMAND = Pattern.compile("`(?:platter )?([a-z][a-z-]+)[` ]");
    private static final Path SAMPLE = ProjectFiles.root().resolve("examples/images/lvm-guest.qcow2");
    private static final Pattern LINK = Pattern.compile("\\]\\(([^)#:]+)\\)");

    /** The first block of the README, but for the image that it opens. */
    private static void firstBlock(Path guest) throws IOException {
        try (ImageInspector image = ImageInspector.open(guest)) {
            for (Partition p : image.partitions()) {
                System.out.println(p.number() + " " + p.start() + " " + p.size() + " " + p.typeName());
            }
            for (VolumeGroup g : image.volumeGroups()) {
                System.out.println(g.name() + " " + g.logicalVolumes());
            }
            BlockDevice root = image.device("/dev/vg0/root"); // or "/dev/sda1": the names that libguestfs gives
            root.read(0, ByteBuffer.allocate(4096));
        }
    }

    /** The second one, but for the image and the port. */
    @SuppressWarnings("AddressSelection") // an address in figures
    private static void serverBlock(Path image, int port) throws IOException, InterruptedException {
        try (ImageInspector guest = ImageInspector.open(image);
                NbdServer server = NbdServer.builder()
                        .bind(new InetSocketAddress("127.0.0.1", port))
                        .export(Export.named("").readOnly().of(guest.device("/dev/sda")))
                        .catalog(guest) // nbd://127.0.0.1/vg0/root
                        .start()) {
            server.awaitClose();
        }
    }

    /** The third one, but for the address. */
    private static void clientBlock(String address) throws IOException {
        NbdClientOptions nightly = NbdClientOptions.builder()
                .contexts(List.of("base:allocation", "qemu:dirty-bitmap:nightly"))
                .build();
        try (NbdExport disk = NbdClient.to(address).with(nightly).open()) {
            disk.status("qemu:dirty-bitmap:nightly", 0, disk.size(), (offset, length, status) -> {
                System.out.println(offset + " " + length + " " + (status == BlockStatusSource.DIRTY));
                return true;
            });
            System.out.println(ImageInspector.of(disk).listFileSystems()); // {/dev/sda1=ext4, /dev/vg0/root=xfs}
        }
    }

    @Test
    void blocksAreInThisTest() throws IOException {
        List<String> source = new ArrayList<>();
        for (String line : ProjectFiles.lines("interop-tests/src/test/java/dev/platter/interop/ReadmeTest.java")) {
            source.add(line.strip()
                    .replace("open(guest)", "open(Path.of(\"guest.qcow2\"))")
                    .replace("open(image)", "open(Path.of(\"guest.qcow2\"))")
                    .replace(", port))", ", NbdServer.PORT))")
                    .replace("to(address)", "to(\"nbd://backup.example.com/vm7\")"));
        }

        for (List<String> block : ProjectFiles.blocks("README.md", "java")) {
            assertThat(source).containsSequence(block);
        }
    }

    @Test
    void firstBlockRunsOnTheSample() throws IOException {
        firstBlock(SAMPLE);
    }

    @Test
    void serverBlockServesTheSample() throws Exception {
        int port = freePort();
        CompletableFuture<Void> ended = new CompletableFuture<>();
        Thread server = new Thread(() -> {
            try {
                serverBlock(SAMPLE, port);
                ended.complete(null);
            } catch (InterruptedException e) {
                ended.complete(null);
            } catch (IOException e) {
                ended.completeExceptionally(e);
            }
        });
        server.start();
        try (NbdExport root = openWhenItListens(port, ended)) {
            assertThat(root.size()).isEqualTo(40 << 20);
        } finally {
            server.interrupt();
            server.join();
        }
        assertThat(ended).isCompletedWithValue(null);
    }

    private static int freePort() throws IOException {
        try (ServerSocket socket = new ServerSocket(0)) {
            return socket.getLocalPort();
        }
    }

    private static NbdExport openWhenItListens(int port, CompletableFuture<Void> ended) throws IOException {
        while (true) {
            try {
                return NbdClient.to("nbd://127.0.0.1:" + port + "/vg0/root").open();
            } catch (BlockIOException e) {
                if (ended.isDone() || !(e.getCause() instanceof ConnectException)) {
                    throw e;
                }
                LockSupport.parkNanos(1_000_000);
            }
        }
    }

    @Test
    @SuppressWarnings("AddressSelection")
    void clientBlockReadsABitmap(@TempDir Path folder) throws IOException {
        Path image = Files.copy(SAMPLE, folder.resolve("guest.qcow2"));
        OpenOptions writable = OpenOptions.builder().writable(true).build();
        try (DiskImage disk = DiskImages.open(image, writable)) {
            ((Qcow2Disk) disk).addBitmap("nightly", 65536, true);
        }
        try (DiskImage disk = DiskImages.open(image);
                NbdServer server = NbdServer.builder()
                        .bind(new InetSocketAddress("127.0.0.1", 0))
                        .export(Export.named("vm7")
                                .readOnly()
                                .bitmaps(List.of("nightly"))
                                .of(disk))
                        .start()) {
            int port = ((InetSocketAddress) server.addresses().get(0)).getPort();

            clientBlock("nbd://127.0.0.1:" + port + "/vm7");
        }
    }

    @Test
    void dependencyIsWhatTheBuildMakes() throws IOException {
        List<String> dependency = ProjectFiles.firstBlock("README.md", "xml");
        List<String> pom = ProjectFiles.lines("inspect/pom.xml").stream()
                .map(String::strip)
                .toList();

        assertThat(pom).containsAll(dependency.subList(1, dependency.size() - 1));
    }

    @Test
    void commandsOfTheTableAreThoseOfTheCommand() throws IOException {
        List<String> commands = new ArrayList<>();
        for (String line : ProjectFiles.lines("README.md")) {
            if (line.startsWith("| `platter ")) {
                Matcher names = COMMAND.matcher(line.split("\\|", -1)[1]);
                while (names.find()) {
                    commands.add(names.group(1));
                }
            }
        }
        String sources;
        try (Stream<Path> files = Files.walk(ProjectFiles.root().resolve("cli/src/main/java"))) {
            StringBuilder all = new StringBuilder();
            for (Path file : files.filter(Files::isRegularFile).toList()) {
                all.append(Files.readString(file));
            }
            sources = all.toString();
        }

        assertThat(commands).contains("inspect", "list-filesystems", "df", "dump", "info", "map", "check");
        assertThat(commands).allSatisfy(command -> assertThat(sources).contains("\"" + command + "\""));
    }

    @Test
    void containersThatItNamesAreThoseThatCanBeRead() {
        assertThat(DiskImages.formats()).containsExactlyInAnyOrder("raw", "qcow2");
    }

    @Test
    void linksLeadToFiles() throws IOException {
        for (String file : List.of("README.md", "examples/README.md", "inspect/README.md", "interop-tests/README.md")) {
            Path readme = ProjectFiles.root().resolve(file);
            for (String line : ProjectFiles.lines(file)) {
                Matcher links = LINK.matcher(line);
                while (links.find()) {
                    assertThat(readme.resolveSibling(links.group(1)))
                            .as("link of " + file)
                            .exists();
                }
            }
        }
    }

    @Test
    void blockOfInspectNamesMethodsThatAreThere() throws IOException {
        List<String> methods = Stream.of(ImageInspector.class.getMethods())
                .map(Method::getName)
                .toList();

        Pattern call = Pattern.compile("image\\.(\\w+)\\(");
        for (String line : ProjectFiles.firstBlock("inspect/README.md", "java")) {
            call.matcher(line).results().forEach(result -> assertThat(methods).contains(result.group(1)));
        }
    }
}
