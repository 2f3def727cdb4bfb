package dev.platter.cli;

import static org.assertj.core.api.Assertions.assertThat;

import dev.platter.testkit.ReferenceTools;
import dev.platter.testkit.TempImages;
import dev.platter.testkit.ToolResult;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** snapshot, beside qemu-img, where names are ids of other snapshots. */
final class SnapshotCommandTest extends JudgedByQemu {
    /** Of the snapshots with the ids 1, 2, 3, 4 and 5. */
    private static final String[] NAMES = {"2", "x", "1", "x", ""};

    private Path ours;
    private Path theirs;

    @BeforeEach
    void makeTwins() throws IOException {
        theirs = TempImages.qemu(folder, "theirs.qcow2", "qcow2", 1 << 20);
        for (int i = 0; i < NAMES.length; i++) {
            qemuIo(theirs, "write -P " + (i + 1) + " 0 256k");
            ReferenceTools.runOk("qemu-img", "snapshot", "-c", NAMES[i], theirs.toString());
        }
        qemuIo(theirs, "write -P 99 64k 64k");
        ours = Files.copy(theirs, folder.resolve("ours.qcow2"));
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "-d 1", "-d 2", "-d 3", "-d x", "-d none", "-d ", "-a 1", "-a 2", "-a 3", "-a x", "-a none", "-a ", "-l"
            })
    void actsOnTheSnapshotThatQemuActsOn(String line) throws IOException {
        String[] action = line.split(" ", -1);
        String[] words = new String[action.length + 2];
        words[0] = "snapshot";
        System.arraycopy(action, 0, words, 1, action.length);

        words[words.length - 1] = ours.toString();
        Cli run = Cli.run((Object[]) words);
        words[words.length - 1] = theirs.toString();
        ToolResult reference = qemu(words);

        run.assertExit(reference.exit());
        assertClean(ours);
        assertThat(list(ours)).isEqualTo(list(theirs));
        assertThat(ids(Cli.run("snapshot", ours).assertExit(0).out())).isEqualTo(ids(list(theirs)));
        ReferenceTools.runOk("qemu-img", "compare", ours.toString(), theirs.toString());
    }

    @Test
    void snapshotThatIsNamedByItsIdIsNotDeleted() {
        Cli.run("snapshot", "-d", "4", ours)
                .assertError(1, "no snapshot named \"4\"", "the one with this id is named \"x\"");
    }

    @Test
    void severalSnapshotsHaveOneName() throws IOException {
        for (int i = 0; i < 2; i++) {
            Cli.run("snapshot", "-c", "x", ours).assertExit(0);
            ReferenceTools.runOk("qemu-img", "snapshot", "-c", "x", theirs.toString());
        }

        assertClean(ours);
        assertThat(ids(list(ours))).isEqualTo(ids(list(theirs)));
    }

    @ParameterizedTest
    @ValueSource(strings = {"-c", "-a", "-d"})
    void rawImageHasNoSnapshots(String action) throws IOException {
        Path raw = TempImages.raw(folder, "a.raw", new byte[512]);

        Cli.run("snapshot", "-f", "raw", action, "x", raw).assertError(2, "a raw image, which has no snapshots");
        Cli.run("snapshot", "-f", "raw", action, "x", ours).assertError(2, "a raw image, which has no snapshots");
        assertThat(Cli.run("snapshot", "-f", "raw", raw).assertExit(0).out()).isEmpty();
    }

    private static String list(Path image) throws IOException {
        return ReferenceTools.runOk("qemu-img", "snapshot", "-l", image.toString())
                .stdout();
    }

    /** The lines up to the date, which has the time zone of whoever prints it. */
    private static String ids(String list) {
        return list.replaceAll(" +0 B .*", "").replaceAll("ICOUNT", "");
    }
}
