package dev.platter.cli;

import static org.assertj.core.api.Assertions.assertThat;

import dev.platter.testkit.ReferenceTools;
import dev.platter.testkit.TempImages;
import dev.platter.testkit.TestBytes;
import dev.platter.testkit.ToolResult;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** compare, beside qemu-img. */
final class CompareCommandTest extends JudgedByQemu {
    private static final int MIB = 1 << 20;

    @ParameterizedTest
    @ValueSource(strings = {"a b", "a c", "a d", "a e", "b e", "c d", "a none"})
    void strictComparisonLooksAtWhatIsAllocated(String pair) throws IOException {
        for (String name : new String[] {"a", "b", "c", "d"}) {
            TempImages.qemu(folder, name, "qcow2", MIB);
        }
        TempImages.qemu(folder, "e", "qcow2", 2 * MIB);
        ReferenceTools.runOk(
                "qemu-io", "-c", "write -P 0 128k 64k", folder.resolve("b").toString());
        ReferenceTools.runOk(
                "qemu-io", "-c", "write -z 192k 64k", folder.resolve("c").toString());
        ReferenceTools.runOk(
                "qemu-io", "-c", "write -P 5 192k 64k", folder.resolve("d").toString());
        String[] names = pair.split(" ", -1);
        String first = folder.resolve(names[0]).toString();
        String second = folder.resolve(names[1]).toString();

        Cli ours = Cli.run("compare", "-s", "-U", "-T", "none", first, second);
        ToolResult theirs = qemu("compare", "-s", first, second);

        ours.assertExit(theirs.exit());
        // where they begin to differ; qemu names the beginning of the range
        assertThat(ours.out().replaceAll("[0-9]+", "N"))
                .isEqualTo(theirs.stdout().replaceAll("[0-9]+", "N"));
    }

    @Test
    void comparedDisksAreTheSameOrDifferAtTheSectorThatQemuNames() throws IOException {
        byte[] bytes = TestBytes.of(0, 3 << 20);
        Path raw = TempImages.raw(folder, "a.raw", bytes);
        Path qcow2 = folder.resolve("a.qcow2");
        Cli.run("convert", "-q", "-O", "qcow2", raw, qcow2).assertExit(0);
        assertThat(Cli.run("compare", raw, qcow2).assertExit(0).out()).isEqualTo("Images are identical.\n");

        Cli.run("resize", "-q", qcow2, "4M").assertExit(0);
        assertThat(Cli.run("compare", raw, qcow2).assertExit(0).err()).contains("3145728 and 4194304");
        Cli.run("compare", "-s", raw, qcow2).assertExit(1);
        ReferenceTools.runOk("qemu-io", "-c", "write -P 1 3500k 1k", qcow2.toString());
        assertThat(Cli.run("compare", "-F", "qcow2", raw, qcow2).assertExit(1).out())
                .isEqualTo(ReferenceTools.run("qemu-img", "compare", "-f", "raw", raw.toString(), qcow2.toString())
                        .stdout()
                        .replaceAll("Warning.*\n", ""));
        bytes[1_000_001]++;
        Files.write(raw, bytes);
        assertThat(Cli.run("compare", qcow2, raw).assertExit(1).out())
                .isEqualTo("Content mismatch at offset 999936!\n");
        Cli.run("compare", raw, folder.resolve("none")).assertExit(2);
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "-F qcow2 whole whole",
                "-p whole whole",
                "-p -q whole whole",
                "whole changed",
                "-q whole changed",
                "whole larger",
                "-s whole larger",
                "whole none",
                "none whole",
                "-T some whole whole",
                "whole unaligned",
                "unaligned whole",
                "-s whole unaligned",
                "whole table",
                "table whole",
                "whole lost",
                "-p lost whole",
                "-s whole lost",
                "changed unaligned",
                "whole tail"
            })
    void exitCodeIsThatOfQemu(String line) throws IOException {
        Path whole = TempImages.qemu(folder, "whole", "qcow2", 4 * MIB);
        qemuIo(whole, "write -P 7 64k 200k", "write -z 1M 64k");
        for (String name : new String[] {"changed", "unaligned", "table", "lost", "larger", "tail"}) {
            Files.copy(whole, folder.resolve(name));
        }
        qemuIo(folder.resolve("changed"), "write -P 9 3M 64k");
        putL2Entry(folder.resolve("unaligned"), 1, 0x8000_0000_0005_0200L);
        putL1Entry(folder.resolve("table"), 0x8000_0000_0004_0200L);
        // compressed, beyond the end of the file
        putL2Entry(folder.resolve("lost"), 1, 1L << 62 | 1L << 40);
        for (String name : new String[] {"larger", "tail"}) {
            ReferenceTools.runOk(
                    "qemu-img", "resize", "-q", folder.resolve(name).toString(), "8M");
        }
        putL2Entry(folder.resolve("tail"), 100, 1L << 62 | 1L << 40);
        String[] words = ("compare " + line).split(" ", -1);
        for (int i = words.length - 2; i < words.length; i++) {
            words[i] = folder.resolve(words[i]).toString();
        }

        Cli ours = Cli.run((Object[]) words);
        ToolResult theirs = qemu(words);

        ours.assertExit(theirs.exit());
        if (theirs.exit() < 2) {
            assertThat(theirs.stdout()).contains(ours.out().strip());
        } else {
            assertThat(ours.err().lines().filter(text -> !text.contains("warning: ")))
                    .hasSize(1);
        }
    }

    /** Whether clusters are compressed, and whether zeros have a place, counts too. */
    @ParameterizedTest
    @ValueSource(
            strings = {
                "-F qcow2 zero zero",
                "-F qcow2 zero kept",
                "-F qcow2 data packed",
                "-F qcow2 packed packed",
                "-F qcow2 data overlay",
                "-F qcow2 empty prepared",
                "-F raw data raw",
                "-F raw empty hole",
                "-F raw zero hole"
            })
    void strictComparisonLooksAtWhatHasAPlace(String line) throws IOException {
        for (String name : new String[] {"zero", "kept", "data", "packed", "empty"}) {
            TempImages.qemu(folder, name, "qcow2", MIB);
        }
        qemuIo(folder.resolve("zero"), "write -z 0 64k");
        qemuIo(folder.resolve("kept"), "write -P 1 0 64k", "write -z 0 64k");
        qemuIo(folder.resolve("data"), "write -P 1 64k 64k");
        qemuIo(folder.resolve("packed"), "write -c -P 1 64k 64k");
        TempImages.qemu(folder, "prepared", "qcow2", MIB, "-o", "preallocation=metadata");
        TempImages.qemu(folder, "overlay", "qcow2", MIB, "-b", "data", "-F", "qcow2");
        TempImages.sparse(folder, "hole", MIB);
        ReferenceTools.runOk(
                "qemu-img",
                "convert",
                "-O",
                "raw",
                folder.resolve("data").toString(),
                folder.resolve("raw").toString());
        String[] words = ("compare -s -f qcow2 " + line).split(" ", -1);
        for (int i = words.length - 2; i < words.length; i++) {
            words[i] = folder.resolve(words[i]).toString();
        }
        String[] allowing = new String[words.length + 2];
        System.arraycopy(words, 0, allowing, 0, 1);
        allowing[1] = "--allow-references";
        allowing[2] = folder.toString();
        System.arraycopy(words, 1, allowing, 3, words.length - 1);

        Cli.run((Object[]) allowing).assertExit(qemu(words).exit());
    }
}
