package dev.platter.cli;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.JsonNode;
import dev.platter.core.DiskImage;
import dev.platter.core.DiskImages;
import dev.platter.testkit.ReferenceTools;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

/** {@code platter bitmap} and {@code convert --bitmaps} beside qemu-img. */
final class BitmapCommandTest extends JudgedByQemu {
    private Path ours;
    private Path theirs;

    @BeforeEach
    void makeTwins() throws IOException {
        ours = folder.resolve("ours.qcow2");
        theirs = folder.resolve("theirs.qcow2");
        for (Path file : new Path[] {ours, theirs}) {
            ReferenceTools.runOk("qemu-img", "create", "-q", "-f", "qcow2", file.toString(), "10M");
        }
    }

    @Test
    void bitmapsAreThoseThatQemuMakes() throws IOException {
        both("--add", "a");
        both("--add", "-g", "512", "b");
        write(0);
        both("--disable", "b");
        both("--add", "--disable", "--merge", "a", "--merge", "b", "c");
        write(1);
        both("--remove", "--add", "--disable", "a");
        both("--remove", "--add", "--remove", "--add", "--disable", "a");
        both("--enable", "a");
        both("--clear", "b");

        assertThat(facts(ours)).isEqualTo(facts(theirs));
        assertSame("c");
        assertSame("a");
        assertClean(ours);
    }

    @Test
    void bitmapOfAnotherImageIsMerged() throws IOException {
        both("--add", "a");
        write(2);
        Path third = Files.copy(theirs, folder.resolve("third.qcow2"));

        both("--add", "-b", third.toString(), "-F", "qcow2", "--merge", "a", "merged");

        assertSame("merged");
    }

    @Test
    void convertCopiesBitmaps() throws IOException {
        both("--add", "a");
        both("--add", "--disable", "b");
        write(3);
        Path copy = folder.resolve("copy.qcow2");
        Path reference = folder.resolve("reference.qcow2");

        Cli.run("convert", "-q", "-O", "qcow2", "--bitmaps", ours, copy).assertExit(0);
        ReferenceTools.runOk(
                "qemu-img", "convert", "-O", "qcow2", "--bitmaps", theirs.toString(), reference.toString());

        assertThat(facts(copy)).isEqualTo(facts(reference));
        assertClean(copy);
        ReferenceTools.runOk("qemu-img", "compare", copy.toString(), reference.toString());
    }

    @Test
    void whatDoesNotFitTogetherIsAUsageError() {
        Cli.run("bitmap", ours, "a").assertError(2, "--add, --remove");
        Cli.run("bitmap", "--remove", "-g", "512", ours, "a").assertError(2, "-g is for --add only");
        Cli.run("bitmap", "--add", "-b", ours, ours, "a").assertError(2, "-b is for --merge only");
        Cli.run("bitmap", "--remove", ours, "a").assertError(1, "there is no bitmap \"a\"");
        Cli.run("convert", "--bitmaps", ours, folder.resolve("x.raw")).assertError(2, "--bitmaps");
    }

    private void both(String... arguments) throws IOException {
        String[] words = new String[arguments.length + 2];
        System.arraycopy(arguments, 0, words, 1, arguments.length);
        words[0] = "bitmap";
        String name = arguments[arguments.length - 1];
        words[words.length - 1] = name;
        words[words.length - 2] = ours.toString();
        Cli.run((Object[]) words).assertExit(0);
        String[] reference = new String[words.length + 1];
        reference[0] = "qemu-img";
        System.arraycopy(words, 0, reference, 1, words.length);
        reference[reference.length - 2] = theirs.toString();
        ReferenceTools.runOk(reference);
    }

    private void write(int where) throws IOException {
        for (Path file : new Path[] {ours, theirs}) {
            qemuIo(file, "write -P 7 " + (where * 300000L / 512 * 512) + " 70k");
        }
    }

    private static JsonNode facts(Path image) throws IOException {
        return specific(image).at("/data/bitmaps");
    }

    /** Both bitmaps say the same if qemu can merge each into a new one and the new ones are alike. */
    private void assertSame(String bitmap) throws IOException {
        assertThat(ranges(ours, bitmap)).isEqualTo(ranges(theirs, bitmap));
    }

    private static List<String> ranges(Path image, String bitmap) throws IOException {
        List<String> ranges = new ArrayList<>();
        try (DiskImage opened = DiskImages.open(image)) {
            opened.dirtyRanges(bitmap, (offset, length) -> ranges.add(offset + "+" + length));
        }
        return ranges;
    }
}
