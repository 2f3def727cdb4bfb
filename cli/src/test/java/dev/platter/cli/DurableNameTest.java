package dev.platter.cli;

import static org.assertj.core.api.Assertions.assertThat;

import dev.platter.testkit.ReferenceTools;
import dev.platter.testkit.TempImages;
import dev.platter.testkit.TestBytes;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.opentest4j.TestAbortedException;

/** A new image is there after a loss of power: first its bytes are durable, then it gets its name, then the name is. */
final class DurableNameTest {
    private static final String TRACED = "trace=fsync,fdatasync,link,linkat,rename,renameat,renameat2";
    private static final Pattern SYNC = Pattern.compile("\\bf(?:data)?sync\\(\\d+<([^>]*)>");
    private static final Pattern NAMING = Pattern.compile("\\b(?:link|rename)(?:at2?)?\\(.*\"([^\"]*)\"");

    @TempDir
    private Path folder;

    private Path trace;

    @BeforeEach
    void requireTracing() throws IOException {
        ReferenceTools.assumeTool("strace");
        trace = folder.resolve("trace");
        if (ReferenceTools.run("strace", "-f", "-o", trace.toString(), "true").exit() != 0) {
            throw new TestAbortedException("strace may not trace processes here");
        }
    }

    @ParameterizedTest
    @CsvSource(
            delimiter = '|',
            value = {
                "create -f qcow2 NEW 1M | bytes name folder",
                "create -f raw NEW 1M | bytes name folder",
                "create --force -f raw OLD 1M | bytes name folder",
                "create -f qcow2 -o data_file=data NEW 1M | bytes folder name folder",
                "convert -O qcow2 -t writeback SOURCE NEW | bytes name folder",
                "convert -O raw --force SOURCE OLD | bytes name folder",
                "dd if=SOURCE of=NEW | bytes name folder",
                // what is copied is left to the system unless somebody asks, as qemu-img leaves it
                "convert -O qcow2 SOURCE NEW | bytes name",
            })
    void nameFollowsTheBytesAndIsMadeDurable(String line, String steps) throws IOException {
        Path images = Files.createDirectory(folder.resolve("images")).toRealPath();
        TempImages.raw(images, "source", TestBytes.of(0, 300_000));
        Files.write(images.resolve("old"), new byte[512]);
        String words = line.replace("NEW", images.resolve("new").toString())
                .replace("OLD", images.resolve("old").toString())
                .replace("SOURCE", images.resolve("source").toString());
        List<String> command = new ArrayList<>(List.of("strace", "-f", "-y", "-o", trace.toString(), "-e", TRACED));
        List<String> arguments = List.of(words.split(" ", -1));
        command.addAll(Launched.command(
                arguments.get(0), arguments.subList(1, arguments.size()).toArray()));

        ReferenceTools.run(command).assertSuccess();

        assertThat(steps(images)).isEqualTo(List.of(steps.split(" ", -1)));
    }

    /** What happened in a folder, in order; what was done several times at a stretch counts once. */
    private List<String> steps(Path images) throws IOException {
        List<String> steps = new ArrayList<>();
        for (String line : Files.readAllLines(trace)) {
            Matcher sync = SYNC.matcher(line);
            Matcher naming = NAMING.matcher(line);
            String step = null;
            if (sync.find() && sync.group(1).startsWith(images.toString())) {
                step = sync.group(1).equals(images.toString()) ? "folder" : "bytes";
            } else if (naming.find() && naming.group(1).startsWith(images + "/")) {
                step = "name";
            }
            if (step != null && (steps.isEmpty() || !steps.get(steps.size() - 1).equals(step))) {
                steps.add(step);
            }
        }
        return steps;
    }
}
