package dev.platter.cli;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.JsonNode;
import dev.platter.testkit.ReferenceTools;
import dev.platter.testkit.TempImages;
import dev.platter.testkit.TestBytes;
import java.io.IOException;
import java.io.RandomAccessFile;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/** create, convert, resize, snapshot and check -r, with qemu-img as judge. */
final class WriteCommandsTest extends JudgedByQemu {

    @ParameterizedTest
    @ValueSource(
            strings = {
                "cluster_size=64k",
                "compat=0.10",
                "cluster_size=512,refcount_bits=64",
                "cluster_size=2M,refcount_bits=1",
                "extended_l2=on,cluster_size=128k",
                "compression_type=zstd,lazy_refcounts=on",
                "preallocation=metadata,cluster_size=4k",
                "preallocation=full,cluster_size=1k"
            })
    void newImageIsTheOneThatQemuMakes(String options) throws IOException {
        Path ours = folder.resolve("ours.qcow2");
        Path theirs = folder.resolve("theirs.qcow2");

        Cli.run("create", "-q", "-f", "qcow2", "-o", options, ours, "5M").assertExit(0);
        ReferenceTools.runOk("qemu-img", "create", "-q", "-f", "qcow2", "-o", options, theirs.toString(), "5M");

        assertClean(ours);
        assertThat(specific(ours)).isEqualTo(specific(theirs));
        // where preallocated clusters lie is ours to choose
        String how = options.contains("preallocation") ? "-q" : "-s";
        ReferenceTools.runOk("qemu-img", "compare", how, ours.toString(), theirs.toString());
    }

    @ParameterizedTest
    @CsvSource({
        "qcow2, 'compat=0.10'",
        "qcow2, 'compat=v3,lazy_refcounts=on'",
        "qcow2, 'preallocation=off'",
        "qcow2, 'data_file=d.raw'",
        "qcow2, 'data_file=e.raw,data_file_raw=off,compat=1.1,refcount_bits=8,extended_l2=on'",
        "raw, 'preallocation=off'",
        "raw, 'preallocation=full'"
    })
    void whatIsMadeIsSaidAsQemuSaysIt(String format, String options) throws IOException {
        Path file = folder.resolve("a.img");
        String theirs = ReferenceTools.runOk(
                        "qemu-img", "create", "-f", format, "-o", options, file.toString(), "1000001")
                .stdout();
        for (String made : names()) {
            Files.delete(folder.resolve(made));
        }

        Cli ours =
                Cli.run("create", "-f", format, "-o", options, file, "1000001").assertExit(0);

        assertThat(ours.out()).isEqualTo(theirs);
    }

    @ParameterizedTest
    @ValueSource(strings = {"falloc", "full"})
    void rawImageHasAPlaceForAllItsBytesIfToldSo(String preallocation) throws IOException {
        Path made = folder.resolve("made.raw");
        Path converted = folder.resolve("converted.raw");
        Path source = TempImages.qemu(folder, "a.qcow2", "qcow2", 1 << 20);

        Cli.run("create", "-f", "raw", "-o", "preallocation=" + preallocation, made, "1M")
                .assertExit(0);
        Cli.run("convert", "-O", "raw", "-o", "preallocation=" + preallocation, source, converted)
                .assertExit(0);

        for (Path file : List.of(made, converted)) {
            JsonNode info = ReferenceTools.runOk("qemu-img", "info", "-f", "raw", "--output=json", file.toString())
                    .json();
            assertThat(info.path("actual-size").asLong()).isGreaterThanOrEqualTo(1 << 20);
            assertThat(file).hasBinaryContent(new byte[1 << 20]);
        }
    }

    @Test
    void optionsMayStandBetweenTheFiles() throws IOException {
        Path raw = TempImages.raw(folder, "a.raw", TestBytes.of(0, 1 << 20));
        Path qcow2 = folder.resolve("a.qcow2");
        Path part = folder.resolve("part.raw");

        Cli.run("convert", raw, "-O", "qcow2", qcow2).assertExit(0);
        Cli.run("compare", raw, "-F", "qcow2", qcow2).assertExit(0);
        Cli.run("bitmap", qcow2, "--add", "b").assertExit(0);
        Cli.run("dd", "if=" + qcow2, "-O", "raw", "of=" + part).assertExit(0);

        assertThat(part).hasSameBinaryContentAs(raw);
        Cli.run("convert", raw).assertError(2, "a source and a target are needed");
        Cli.run("convert", "--object", "secret,id=s", "-O", "raw", qcow2, part).assertError(2, "--object");
    }

    @Test
    void zerosThatHideANewBackingFileTakeNoSpace() throws IOException {
        Path base = TempImages.qemu(folder, "base.qcow2", "qcow2", 1 << 20);
        Path top = TempImages.qemu(folder, "top.qcow2", "qcow2", 1 << 20);
        qemuIo(base, "write -P 1 0 512k");
        qemuIo(top, "write -P 2 0 64k");

        Cli.run("rebase", "--allow-references", folder, "-b", "base.qcow2", "-F", "qcow2", top)
                .assertExit(0);

        assertClean(top);
        ReferenceTools.runOk("qemu-io", "-r", "-c", "read -P 2 0 64k", "-c", "read -P 0 64k 960k", top.toString());
        assertThat(counts(top).path("allocated-clusters").asLong()).isEqualTo(1);
    }

    @Test
    void bitmapsOfARawImageAreRefused() throws IOException {
        Path raw = TempImages.raw(folder, "a.raw", TestBytes.of(0, 512));

        Cli.run("convert", "--bitmaps", "-O", "qcow2", raw, folder.resolve("a.qcow2"))
                .assertError(2, "--bitmaps");

        assertThat(names()).containsExactly("a.raw");
    }

    @Test
    void overlayTakesTheSizeOfItsBackingFile() throws IOException {
        Cli.run("create", "-q", "-f", "qcow2", folder.resolve("base.qcow2"), "7M")
                .assertExit(0);

        Cli.run("create", "-f", "qcow2", "-b", "base.qcow2", "-F", "qcow2", folder.resolve("top.qcow2"))
                .assertExit(0);

        assertThat(ReferenceTools.runOk(
                                "qemu-img", "info", folder.resolve("top.qcow2").toString())
                        .stdout())
                .contains("virtual size: 7 MiB", "backing file: base.qcow2", "backing file format: qcow2");
    }

    @Test
    void existingFileStaysUnlessForced() throws IOException {
        Path file = TempImages.raw(folder, "a.qcow2", TestBytes.of(0, 512));

        Cli.run("create", "-f", "qcow2", file, "1M").assertError(1, "exists already", "--force");
        assertThat(file).hasBinaryContent(TestBytes.of(0, 512));
        Cli.run("create", "-q", "-f", "qcow2", "--force", file, "1M").assertExit(0);

        assertClean(file);
    }

    @Test
    void wrongOptionsAreNamed() {
        Path file = folder.resolve("a.qcow2");

        Cli.run("create", "-f", "qcow2", "-o", "cluster_size=3k", file, "1M").assertError(2, "3072");
        Cli.run("create", "-f", "qcow2", "-o", "colour=red", file, "1M").assertError(2, "colour", "cluster_size");
        Cli.run("create", "-f", "qcow2", file).assertError(2, "how large");
        Cli.run("create", "-f", "qcow2", file, "many").assertError(2, "many");
        Cli.run("create", "-f", "qcow2", "-b", "base", file, "1M").assertError(2, "-F raw");
        Cli.run("create", "-f", "qcow2", "-o", "cluster_size=512", file, "1P").assertError(1, "larger clusters");
        assertThat(file).doesNotExist();
    }

    @Test
    void convertedImageHoldsTheSameBytes() throws IOException {
        byte[] bytes = new byte[5 << 20];
        System.arraycopy(TestBytes.of(0, 2_000_000), 0, bytes, 1_000_000, 2_000_000);
        Path raw = TempImages.raw(folder, "a.raw", bytes);
        Path qcow2 = folder.resolve("a.qcow2");
        Path back = folder.resolve("back.raw");

        Cli.run("convert", "-O", "qcow2", "-o", "cluster_size=4k", raw, qcow2).assertExit(0);
        Cli.run("convert", "-O", "raw", qcow2, back).assertExit(0);

        assertClean(qcow2);
        ReferenceTools.runOk("qemu-img", "compare", raw.toString(), qcow2.toString());
        assertThat(back).hasBinaryContent(bytes);
        assertThat(names()).containsExactlyInAnyOrder("a.raw", "a.qcow2", "back.raw");
    }

    @Test
    void convertIntoAnImageThatIsThereReplacesItsBytes() throws IOException {
        Path raw = TempImages.raw(folder, "a.raw", TestBytes.of(0, 1 << 20));
        Path target = TempImages.qemu(folder, "b.qcow2", "qcow2", 1 << 20);
        ReferenceTools.runOk("qemu-io", "-c", "write -P 7 0 1M", target.toString());

        Cli.run("convert", "-n", "-O", "qcow2", raw, target).assertExit(0);

        assertClean(target);
        ReferenceTools.runOk("qemu-img", "compare", raw.toString(), target.toString());
    }

    @Test
    void volumeOfAGuestBecomesAnImage() throws IOException {
        Path guest = Path.of("..", "examples", "images", "lvm-guest.qcow2");
        Path root = folder.resolve("root.qcow2");
        Path dumped = folder.resolve("root.raw");

        Cli.run("convert", "-O", "qcow2", guest + ":/dev/vg0/root", root).assertExit(0);
        Cli.run("dump", "--device", "/dev/vg0/root", "-o", dumped, guest).assertExit(0);

        ReferenceTools.runOk("qemu-img", "compare", root.toString(), dumped.toString());
    }

    @Test
    void resizedDiskKeepsItsBytes() throws IOException {
        Path raw = TempImages.raw(folder, "a.raw", TestBytes.of(0, 1 << 20));
        Path image = folder.resolve("a.qcow2");
        Cli.run("convert", "-O", "qcow2", raw, image).assertExit(0);

        Cli.run("resize", image, "+3M").assertExit(0);
        Cli.run("resize", image, "512k").assertError(1, "--shrink");
        Cli.run("resize", raw, "4M").assertExit(0);

        assertClean(image);
        ReferenceTools.runOk("qemu-img", "compare", raw.toString(), image.toString());
        Cli.run("resize", "-q", "--shrink", image, "512k").assertExit(0);
        Cli.run("resize", "-q", "--shrink", raw, "512k").assertExit(0);
        assertClean(image);
        ReferenceTools.runOk("qemu-img", "compare", "-s", "-f", "raw", "-F", "qcow2", raw.toString(), image.toString());
    }

    @Test
    void snapshotsComeAndGo() throws IOException {
        Path image = TempImages.qemu(folder, "a.qcow2", "qcow2", 1 << 20);
        ReferenceTools.runOk("qemu-io", "-c", "write -P 1 0 1M", image.toString());

        Cli.run("snapshot", "-c", "before", image).assertExit(0);
        ReferenceTools.runOk("qemu-io", "-c", "write -P 2 0 512k", image.toString());
        assertThat(Cli.run("snapshot", "-l", image).assertExit(0).out()).contains("before");
        assertClean(image);

        Cli.run("snapshot", "-a", "before", image).assertExit(0);
        assertClean(image);
        ReferenceTools.runOk("qemu-io", "-r", "-c", "read -P 1 0 1M", image.toString());
        Cli.run("snapshot", "-d", "before", image).assertExit(0);
        assertClean(image);
        assertThat(Cli.run("snapshot", image).assertExit(0).out()).isEmpty();
        Cli.run("snapshot", "-d", "before", image).assertError(1, "no snapshot");
        Cli.run("snapshot", "-c", "a", "-d", "b", image).assertError(2, "exclude");
    }

    @Test
    void leaksAndWrongRefcountsAreRepaired() throws IOException {
        Path image = TempImages.qemu(folder, "a.qcow2", "qcow2", 1 << 20);
        ReferenceTools.runOk("qemu-io", "-c", "write -P 1 0 1M", image.toString());
        try (RandomAccessFile file = new RandomAccessFile(image.toFile(), "rw")) {
            // refcounts of 16 bits, in the third cluster: one cluster too many, one too few
            file.seek((2 << 16) + 2 * 100);
            file.writeShort(1);
            file.seek((2 << 16) + 2 * 5);
            file.writeShort(0);
        }
        Cli.run("check", image).assertExit(2);

        Cli.run("check", "-q", "-r", "all", image).assertExit(0);

        assertClean(image);
        ReferenceTools.runOk("qemu-io", "-r", "-c", "read -P 1 0 1M", image.toString());
    }

    @ParameterizedTest
    @ValueSource(strings = {"raw", "qcow2"})
    void committedOverlayIsEmptyAndItsBytesAreBelow(String format) throws IOException {
        Path base = TempImages.qemu(folder, "base", format, 1 << 20);
        Path top = folder.resolve("top.qcow2");
        ReferenceTools.runOk("qemu-io", "-f", format, "-c", "write -P 1 0 1M", base.toString());
        Cli.run("create", "-q", "-f", "qcow2", "-b", "base", "-F", format, top, "2M")
                .assertExit(0);
        ReferenceTools.runOk(
                "qemu-io",
                "-c",
                "write -P 2 64k 100k",
                "-c",
                "write -z 512k 64k",
                "-c",
                "write -P 3 1900k 10k",
                top.toString());
        Path before = folder.resolve("before.raw");
        Cli.run("dump", "--allow-references", folder, "-o", before, top).assertExit(0);

        Cli.run("commit", "-q", top).assertError(1, "--allow-references");
        Cli.run("commit", "-q", "--allow-references", folder, top).assertExit(0);

        assertClean(top);
        ReferenceTools.runOk("qemu-img", "compare", "-F", format, before.toString(), base.toString());
        ReferenceTools.runOk("qemu-img", "compare", before.toString(), top.toString());
        assertThat(ReferenceTools.runOk("qemu-img", "map", "--output=json", top.toString())
                        .json())
                .noneMatch(line ->
                        line.path("depth").asInt() == 0 && line.path("data").asBoolean());
    }

    @Test
    void guestSeesTheSameOverAnotherBackingFile() throws IOException {
        for (String name : List.of("old", "new")) {
            TempImages.qemu(folder, name, "qcow2", 1 << 20);
        }
        String oldBase = folder.resolve("old").toString();
        String newBase = folder.resolve("new").toString();
        ReferenceTools.runOk("qemu-io", "-c", "write -P 1 0 1M", oldBase);
        ReferenceTools.runOk("qemu-io", "-c", "write -P 1 0 300k", "-c", "write -P 9 600k 100k", newBase);
        Path top = folder.resolve("top.qcow2");
        Cli.run("create", "-q", "-f", "qcow2", "-b", "old", "-F", "qcow2", top).assertExit(0);
        ReferenceTools.runOk("qemu-io", "-c", "write -P 2 64k 100k", top.toString());
        Path before = folder.resolve("before.raw");
        Cli.run("dump", "--allow-references", folder, "-o", before, top).assertExit(0);

        Cli.run("rebase", "--allow-references", folder, "-b", "new", "-F", "qcow2", top)
                .assertExit(0);
        assertClean(top);
        ReferenceTools.runOk("qemu-img", "compare", before.toString(), top.toString());
        assertThat(ReferenceTools.runOk("qemu-img", "info", top.toString()).stdout())
                .contains("backing file: new");

        Cli.run("rebase", "--allow-references", folder, "-b", "", top).assertExit(0);
        assertClean(top);
        ReferenceTools.runOk("qemu-img", "compare", before.toString(), top.toString());
        Cli.run("rebase", "-u", "-b", "elsewhere", "-F", "raw", top).assertExit(0);
        assertThat(ReferenceTools.runOk("qemu-img", "info", top.toString()).stdout())
                .contains("backing file: elsewhere", "backing file format: raw");
    }

    private List<String> names() throws IOException {
        try (Stream<Path> files = Files.list(folder)) {
            return files.map(file -> file.getFileName().toString()).toList();
        }
    }
}
