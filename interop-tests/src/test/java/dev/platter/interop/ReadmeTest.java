package dev.platter.interop;

import static org.assertj.core.api.Assertions.assertThat;

import dev.platter.core.BlockDevice;
import dev.platter.core.DiskImages;
import dev.platter.inspect.ImageInspector;
import dev.platter.lvm.VolumeGroup;
import dev.platter.partition.Partition;
import java.io.IOException;
import java.lang.reflect.Method;
import java.nio.ByteBuffer;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;

/** What the README claims. */
class ReadmeTest {
    private static final Pattern COMMAND = Pattern.compile("`(?:platter )?([a-z][a-z-]+)[` ]");
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

    @Test
    void firstBlockCompilesAndRunsOnTheSample() throws IOException {
        List<String> source = new ArrayList<>();
        for (String line : ProjectFiles.lines("interop-tests/src/test/java/dev/platter/interop/ReadmeTest.java")) {
            source.add(line.strip().replace("open(guest)", "open(Path.of(\"guest.qcow2\"))"));
        }

        assertThat(source).containsSequence(ProjectFiles.firstBlock("README.md", "java"));
        firstBlock(ProjectFiles.root().resolve("examples/images/lvm-guest.qcow2"));
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
