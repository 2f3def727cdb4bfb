package dev.platter.cli;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.platter.testkit.ReferenceTools;
import dev.platter.testkit.TempImages;
import dev.platter.testkit.TestBytes;
import dev.platter.testkit.ToolResult;
import java.io.IOException;
import java.io.RandomAccessFile;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/** measure, amend, dd, and the options of the other commands, with qemu-img as judge. */
final class QemuCommandsTest extends JudgedByQemu {
    private static final int MIB = 1 << 20;

    @ParameterizedTest
    @ValueSource(
            strings = {
                "--size 20G -O qcow2",
                "--size 1000 -O raw",
                "--size 0 -O raw",
                "--size 0 -O qcow2",
                "--size 1G -O qcow2 -o size=2G",
                "--size 1G -O qcow2 -o data_file=any",
                "--size 3T -O qcow2 -o cluster_size=4k,refcount_bits=64",
                "--output=json --size 20G -O qcow2 -o compat=0.10",
                "--output=json -O qcow2 IMAGE",
                "-O qcow2 -o compat=0.10 IMAGE",
                "-O qcow2 -o backing_file=any IMAGE",
                "-O qcow2 -o size=2G IMAGE",
                "-O qcow2 -o preallocation=falloc,cluster_size=2M IMAGE",
                "-O qcow2 -l s1 IMAGE",
                "-O qcow2 -l snapshot.name=s1 IMAGE",
                "-O raw IMAGE",
                "--output=json -O raw IMAGE"
            })
    void measuresWhatQemuMeasures(String line) throws IOException {
        Path image = TempImages.qemu(folder, "a.qcow2", "qcow2", 5 * MIB);
        ReferenceTools.runOk("qemu-io", "-c", "write -P 1 100k 900k", "-c", "write -z 3M 64k", image.toString());
        ReferenceTools.runOk("qemu-img", "snapshot", "-c", "s1", image.toString());
        ReferenceTools.runOk("qemu-io", "-c", "write -P 1 2M 1M", image.toString());
        String[] words = ("measure " + line.replace("IMAGE", image.toString())).split(" ", -1);

        Cli ours = Cli.run((Object[]) words).assertExit(0);

        assertThat(ours.out()).isEqualTo(qemu(words).assertSuccess().stdout());
    }

    @Test
    void measureNeedsOneThing() {
        Cli.run("measure").assertError(2, "--size");
        Cli.run("measure", "--size", "1G", "a.raw").assertError(2, "--size");
        Cli.run("measure", "--size", "1G", "-l", "s").assertError(2, "-l");
        Cli.run("measure", "--size", "1G", "-o", "cluster_size=4k").assertError(2, "raw image has no options");
        Cli.run("measure", "--size", "4P", "-O", "qcow2", "-o", "cluster_size=512")
                .assertError(1, "larger clusters");
    }

    @ParameterizedTest
    @CsvSource(
            delimiter = '|',
            value = {
                "compat=0.10 | compat=1.1,lazy_refcounts=on,refcount_bits=64",
                "compat=1.1 | compat=v2",
                "compat=1.1 | refcount_bits=1",
                "lazy_refcounts=on | lazy_refcounts=off,size=3M",
                "cluster_size=512 | refcount_bits=2,compat=1.1",
            })
    void amendsAsQemu(String before, String after) throws IOException {
        Path ours = TempImages.qemu(folder, "ours.qcow2", "qcow2", 2 * MIB, "-o", before);
        ReferenceTools.runOk("qemu-io", "-c", "write -P 7 64k 200k", "-c", "write -z 1M 64k", ours.toString());
        Path theirs = folder.resolve("theirs.qcow2");
        Files.copy(ours, theirs);

        Cli.run("amend", "-q", "-o", after, ours).assertExit(0);
        ReferenceTools.runOk("qemu-img", "amend", "-q", "-o", after, theirs.toString());

        ReferenceTools.runOk("qemu-img", "check", ours.toString());
        ReferenceTools.runOk("qemu-img", "compare", ours.toString(), theirs.toString());
        assertThat(specific(ours)).isEqualTo(specific(theirs));
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "-p -o compat=0.10",
                "-p -q -o refcount_bits=1",
                "-p -o lazy_refcounts=on",
                "--force -o refcount_bits=64",
                "-t unsafe -o compat=1.1",
                "-t none -p -o lazy_refcounts=off,size=3M"
            })
    void amendTakesTheOptionsOfQemu(String line) throws IOException {
        Path ours = TempImages.qemu(folder, "ours.qcow2", "qcow2", 2 * MIB);
        qemuIo(ours, "write -P 7 64k 200k", "write -z 1M 64k");
        ReferenceTools.runOk("qemu-img", "snapshot", "-c", "s", ours.toString());
        Path theirs = Files.copy(ours, folder.resolve("theirs.qcow2"));

        Cli run = Cli.run((Object[]) ("amend " + line + " " + ours).split(" ", -1));
        ToolResult reference = qemu(("amend " + line + " " + theirs).split(" ", -1));

        run.assertExit(reference.exit());
        assertThat(run.out()).isEmpty();
        assertClean(ours);
        assertThat(specific(ours)).isEqualTo(specific(theirs));
        ReferenceTools.runOk("qemu-img", "compare", ours.toString(), theirs.toString());
    }

    @Test
    void amendRefusesWhatQemuRefuses() throws IOException {
        Path image = TempImages.qemu(folder, "a.qcow2", "qcow2", MIB);
        byte[] before = Files.readAllBytes(image);
        for (String options : new String[] {
            "backing_file=x",
            "cluster_size=4k",
            "compat=0.10,refcount_bits=8",
            "compat=0.10,lazy_refcounts=on",
            "data_file=x",
            "data_file_raw=on",
            "refcount_bits=3"
        }) {
            assertThat(Cli.run("amend", "-o", options, image).exit())
                    .as(options)
                    .isIn(1, 2);
            assertThat(image).hasBinaryContent(before);
        }
        Cli.run("amend", image).assertError(2, "-o OPTIONS");
        Cli.run("amend", "-o", "size=512k", image).assertError(1, "--shrink");
        Cli.run("amend", "-o", "compat=0.10", TempImages.raw(folder, "a.raw", new byte[512]))
                .assertError(2, "nothing to amend");
    }

    @ParameterizedTest
    @ValueSource(
            strings = {"bs=64k", "bs=1M skip=1", "bs=100k count=7", "bs=4k skip=200", "bs=1M count=1", "bs=1M skip=9"})
    void ddCopiesWhatQemuCopies(String operands) throws IOException {
        Path image = folder.resolve("a.qcow2");
        Path raw = TempImages.raw(folder, "a.raw", TestBytes.of(0, 2 * MIB));
        ReferenceTools.runOk("qemu-img", "convert", "-O", "qcow2", raw.toString(), image.toString());
        String line = "dd -f qcow2 -O raw if=" + image + " " + operands + " of=";

        Cli.run((Object[]) (line + folder.resolve("ours")).split(" ", -1)).assertExit(0);
        qemu((line + folder.resolve("theirs")).split(" ", -1));

        assertThat(Files.readAllBytes(folder.resolve("ours"))).isEqualTo(Files.readAllBytes(folder.resolve("theirs")));
    }

    @Test
    void ddCopiesCountBlocksBehindThoseThatItSkips() throws IOException {
        Path raw = TempImages.raw(folder, "a.raw", TestBytes.of(0, 2 * MIB));

        Cli.run("dd", "-f", "raw", "bs=64k", "skip=3", "count=5", "if=" + raw, "of=" + folder.resolve("part"))
                .assertExit(0);
        Cli.run("dd", "-f", "raw", "bs=333", "count=7", "if=" + raw, "of=" + folder.resolve("odd"))
                .assertExit(0);

        assertThat(folder.resolve("part")).hasBinaryContent(TestBytes.of(3 << 16, 5 << 16));
        assertThat(folder.resolve("odd")).hasBinaryContent(TestBytes.of(0, 2331));
        Cli.run("dd", "if=" + raw).assertError(2, "if=IMAGE and of=FILE are needed");
        Cli.run("dd", "if=" + raw, "off=b").assertError(2, "unrecognized operand off=b");
        Cli.run("dd", "if=" + raw, "of=" + raw).assertError(1, "exists already");
        Cli.run("dd", "bs=0", "if=" + raw, "of=x").assertError(2, "bs=0");
    }

    @Test
    void overlayIsConvertedToAnOverlay() throws IOException {
        Path base = TempImages.raw(folder, "base.raw", TestBytes.of(0, 2 * MIB));
        Path top = TempImages.qemu(folder, "top.qcow2", "qcow2", 3 * MIB, "-b", "base.raw", "-F", "raw");
        ReferenceTools.runOk(
                "qemu-io",
                "-c",
                "write -P 2 64k 100k",
                "-c",
                "write -z 512k 64k",
                "-c",
                "write -P 3 2500k 1k",
                top.toString());
        Path thin = folder.resolve("thin.qcow2");

        Cli.run("convert", "--allow-references", folder, "-O", "qcow2", "-B", "base.raw", "-F", "raw", top, thin)
                .assertExit(0);

        ReferenceTools.runOk("qemu-img", "check", thin.toString());
        ReferenceTools.runOk("qemu-img", "compare", top.toString(), thin.toString());
        JsonNode map = ReferenceTools.runOk("qemu-img", "map", "--output=json", thin.toString())
                .json();
        assertThat(map.get(0).path("depth").asInt()).isEqualTo(1);
        assertThat(Files.size(thin)).isLessThan(MIB);
        Cli.run("convert", "-B", base, "-F", "raw", top, folder.resolve("x")).assertError(2, "-O qcow2");
        Cli.run("convert", "-O", "qcow2", "-B", base, top, folder.resolve("x")).assertError(2, "-F raw");
    }

    @Test
    void severalImagesAreConvertedIntoOne() throws IOException {
        Path first = TempImages.raw(folder, "a.raw", TestBytes.of(0, 100_000));
        Path second = TempImages.raw(folder, "b.raw", TestBytes.of(7, 1000));
        Path third = TempImages.raw(folder, "c.raw", TestBytes.of(9, 5120));
        Path ours = folder.resolve("ours.qcow2");
        Path theirs = folder.resolve("theirs.qcow2");

        Cli.run("convert", "-f", "raw", "-O", "qcow2", first, second, third, ours)
                .assertExit(0);
        ReferenceTools.runOk(
                "qemu-img",
                "convert",
                "-f",
                "raw",
                "-O",
                "qcow2",
                first.toString(),
                second.toString(),
                third.toString(),
                theirs.toString());

        ReferenceTools.runOk("qemu-img", "compare", "-q", ours.toString(), theirs.toString());
        Cli.run("convert", "-l", "s", first, second, folder.resolve("x")).assertError(2, "several");
        Cli.run("convert", first, folder.resolve("none"), folder.resolve("x")).assertError(1, "no such file");
    }

    @ParameterizedTest
    @ValueSource(strings = {"0", "4k", "512", "1M", "16M"})
    void blocksThatAreLookedAtForZerosHaveAnySize(String size) throws IOException {
        byte[] bytes = new byte[3 * MIB];
        Arrays.fill(bytes, 100_000, 200_000, (byte) 1);
        Path raw = TempImages.raw(folder, "a.raw", bytes);
        Path image = folder.resolve("a.qcow2");

        Cli.run("convert", "-O", "qcow2", "-o", "cluster_size=4k", "-S", size, raw, image)
                .assertExit(0);

        ReferenceTools.runOk("qemu-img", "compare", raw.toString(), image.toString());
        long allocated = counts(image).path("allocated-clusters").asLong();
        long smallest = (200_000 >> 12) - (100_000 >> 12) + 1;
        switch (size) {
            case "0" -> assertThat(allocated).isEqualTo(bytes.length >> 12);
            case "512", "4k" -> assertThat(allocated).isEqualTo(smallest);
            default -> assertThat(allocated).isGreaterThan(smallest).isLessThanOrEqualTo(bytes.length >> 12);
        }
        Cli.run("convert", "-S", "1000", raw, folder.resolve("x")).assertError(2, "512");
        Cli.run("convert", "-S", "32M", raw, folder.resolve("x")).assertError(2, "16M");
    }

    @Test
    void newRawImageHasTheHolesThatQemuMakes() throws IOException {
        byte[] bytes = new byte[4 * MIB];
        for (int at = 0; at < bytes.length; at += 32 << 10) {
            bytes[at + 5000] = 1;
        }
        Path raw = TempImages.raw(folder, "a.raw", bytes);
        Path ours = folder.resolve("ours.raw");
        Path cut = folder.resolve("cut.raw");
        Path theirs = TempImages.qemuConvert(raw, "theirs.raw", "raw");

        Cli.run("convert", "-f", "raw", raw, ours).assertExit(0);
        Cli.run("dd", "-f", "raw", "if=" + raw, "of=" + cut).assertExit(0);

        assertThat(ours).hasBinaryContent(bytes);
        assertThat(cut).hasBinaryContent(bytes);
        // what the file system needs to remember the holes counts too
        assertThat(allocated(ours)).isLessThan(allocated(theirs) + (64 << 10)).isLessThan(bytes.length / 4);
        assertThat(allocated(cut)).isLessThan(allocated(theirs) + (64 << 10));
    }

    @ParameterizedTest
    @ValueSource(strings = {"512", "4k", "16k", "64k", "2M"})
    void newQcow2ImageHasAsManyClustersAsThatOfQemu(String clusterSize) throws IOException {
        byte[] bytes = new byte[4 * MIB];
        for (int at = 0; at < bytes.length; at += 48 << 10) {
            bytes[at + 5000] = 1;
        }
        Path raw = TempImages.raw(folder, "a.raw", bytes);
        Path ours = folder.resolve("ours.qcow2");
        Path theirs = TempImages.qemuConvert(raw, "theirs.qcow2", "qcow2", "-o", "cluster_size=" + clusterSize);

        Cli.run("convert", "-f", "raw", "-O", "qcow2", "-o", "cluster_size=" + clusterSize, raw, ours)
                .assertExit(0);

        assertClean(ours);
        assertThat(counts(ours).path("allocated-clusters"))
                .isEqualTo(counts(theirs).path("allocated-clusters"));
        assertThat(allocated(ours)).isLessThan(allocated(theirs) + (64 << 10));
    }

    private static long allocated(Path image) throws IOException {
        return ReferenceTools.runOk("qemu-img", "info", "--output=json", image.toString())
                .json()
                .path("actual-size")
                .asLong();
    }

    @Test
    void damagedSectorsAreSalvagedAsZeros() throws IOException {
        Path image = folder.resolve("a.qcow2");
        Path raw = TempImages.raw(folder, "a.raw", TestBytes.of(0, MIB));
        ReferenceTools.runOk("qemu-img", "convert", "-c", "-O", "qcow2", raw.toString(), image.toString());
        // a compressed cluster that lies far beyond the end of the file
        putL2Entry(image, 0, 1L << 62 | 1L << 40);
        Path saved = folder.resolve("saved.raw");

        Cli.run("convert", "-O", "raw", image, saved).assertExit(1);
        Cli run = Cli.run("convert", "--salvage", "-O", "raw", image, saved).assertExit(0);

        byte[] expected = TestBytes.of(0, MIB);
        Arrays.fill(expected, 0, 1 << 16, (byte) 0);
        assertThat(saved).hasBinaryContent(expected);
        assertThat(run.err()).contains("zeros instead of the sector at 0: ", "zeros instead of 128 sectors in all");
    }

    @Test
    void targetThatIsThereMayBeKnownToBeZero() throws IOException {
        Path raw = TempImages.raw(folder, "a.raw", new byte[MIB]);
        Path target = TempImages.qemu(folder, "b.qcow2", "qcow2", MIB);

        Cli.run("convert", "-n", "--target-is-zero", "-O", "qcow2", "-r", "1G", "-t", "none", raw, target)
                .assertExit(0);

        ReferenceTools.runOk("qemu-img", "compare", "-q", raw.toString(), target.toString());
        Cli.run("convert", "--target-is-zero", raw, folder.resolve("x")).assertError(2, "-n");
        Cli.run("convert", "-t", "fast", raw, folder.resolve("x")).assertError(2, "-t=fast", "writeback");
        Cli.run("convert", "--image-opts", raw, folder.resolve("x")).assertError(2, "--image-opts", "file names");
        Cli.run("convert", "--object", "secret,id=a", raw, folder.resolve("x")).assertError(2, "encrypted");
    }

    @ParameterizedTest
    @ValueSource(strings = {"leaks", "all"})
    void repairTellsWhatItMended(String what) throws IOException {
        Path ours = TempImages.qemu(folder, "ours.qcow2", "qcow2", MIB);
        ReferenceTools.runOk("qemu-io", "-c", "write -P 1 0 1M", ours.toString());
        try (RandomAccessFile file = new RandomAccessFile(ours.toFile(), "rw")) {
            // refcounts of 16 bits, in the third cluster: two clusters too many
            file.seek((2 << 16) + 2 * 100);
            file.writeInt(0x0001_0001);
            file.setLength(200 << 16);
        }
        Path text = folder.resolve("text.qcow2");
        Path theirs = folder.resolve("theirs.qcow2");
        Files.copy(ours, theirs);
        Files.copy(ours, text);

        JsonNode our = Cli.run("check", "-r", what, "--output=json", ours)
                .assertExit(0)
                .json();
        String their = ReferenceTools.runOk("qemu-img", "check", "-r", what, "--output=json", theirs.toString())
                .stdout();

        assertThat(our.path("leaks-fixed").asLong()).isEqualTo(2);
        assertThat(their).contains("\"leaks-fixed\": 2");
        assertThat(Cli.run("check", "-r", what, text).assertExit(0).out())
                .startsWith(
                        "The following inconsistencies were found and repaired:\n\n    2 leaked clusters\n    0"
                                + " corruptions\n\nDouble checking the fixed image now...\nNo errors were found on the image.\n");
    }

    @Test
    void overlayIsCommittedIntoAnyImageBelow() throws IOException {
        TempImages.qemu(folder, "base.qcow2", "qcow2", MIB);
        TempImages.qemu(folder, "mid.qcow2", "qcow2", MIB, "-b", "base.qcow2", "-F", "qcow2");
        Path top = TempImages.qemu(folder, "top.qcow2", "qcow2", 2 * MIB, "-b", "mid.qcow2", "-F", "qcow2");
        Path base = folder.resolve("base.qcow2");
        ReferenceTools.runOk("qemu-io", "-c", "write -P 1 0 1M", base.toString());
        ReferenceTools.runOk(
                "qemu-io",
                "-c",
                "write -P 2 100k 300k",
                folder.resolve("mid.qcow2").toString());
        ReferenceTools.runOk("qemu-io", "-c", "write -P 3 200k 20k", "-c", "write -z 256k 64k", top.toString());
        Path before = folder.resolve("before.raw");
        Cli.run("dump", "--allow-references", folder, "-o", before, top).assertExit(0);

        Cli.run("commit", "--allow-references", folder, "-b", "none.qcow2", top).assertError(1, "none.qcow2");
        Cli.run("commit", "-q", "--allow-references", folder, "-b", base, "-r", "1G", top)
                .assertExit(0);

        ReferenceTools.runOk("qemu-img", "check", base.toString());
        ReferenceTools.runOk("qemu-img", "compare", before.toString(), base.toString());
        ReferenceTools.runOk("qemu-img", "compare", before.toString(), top.toString());
    }

    @Test
    void committedOverlayIsKeptIfToldSo() throws IOException {
        TempImages.qemu(folder, "base.qcow2", "qcow2", MIB);
        Path top = TempImages.qemu(folder, "top.qcow2", "qcow2", MIB, "-b", "base.qcow2", "-F", "qcow2");
        ReferenceTools.runOk("qemu-io", "-c", "write -P 3 200k 20k", top.toString());
        byte[] before = Files.readAllBytes(top);

        Cli.run("commit", "-q", "-d", "-t", "none", "--allow-references", folder, top)
                .assertExit(0);

        assertThat(top).hasBinaryContent(before);
        ReferenceTools.runOk(
                "qemu-io",
                "-r",
                "-c",
                "read -P 3 200k 20k",
                folder.resolve("base.qcow2").toString());
    }

    @ParameterizedTest
    @ValueSource(strings = {"off", "metadata", "falloc", "full"})
    void grownDiskIsPreallocated(String what) throws IOException {
        Path image = TempImages.qemu(folder, "a.qcow2", "qcow2", MIB);
        ReferenceTools.runOk("qemu-io", "-c", "write -P 9 0 1M", image.toString());
        // free clusters in the file that are not zero
        ReferenceTools.runOk("qemu-io", "-c", "discard 0 512k", image.toString());

        Cli.run("resize", "-q", "--preallocation=" + what, image, "3M").assertExit(0);

        ReferenceTools.runOk("qemu-img", "check", image.toString());
        ReferenceTools.runOk("qemu-io", "-r", "-c", "read -P 0 1M 2M", image.toString());
        assertThat(counts(image).path("allocated-clusters").asInt()).isEqualTo(what.equals("off") ? 8 : 40);
        Cli.run("resize", "--shrink", "--preallocation=full", image, "1M").assertError(2, "grow");
    }

    @Test
    void sizeMayBeginWithAMinus() throws IOException {
        Path raw = TempImages.raw(folder, "a.raw", TestBytes.of(0, 8192));

        Cli.run("resize", "-q", "-f", "raw", "--shrink", raw, "-4k").assertExit(0);
        Cli.run("resize", "-q", "-f", "raw", "--shrink", raw, "--", "-1k").assertExit(0);

        assertThat(raw).hasSize(3072);
        Cli.run("resize", raw).assertError(2, "an image and a size");
        Cli.run("resize", "--grow", raw, "1M").assertError(2, "unknown option: '--grow'");
        Cli.run("resize", "--object", "x", raw, "1M").assertError(2, "encrypted");
    }

    @Test
    void grownRawDiskIsPreallocatedByZeros() throws IOException {
        Path raw = TempImages.raw(folder, "a.raw", TestBytes.of(0, 512));

        Cli.run("resize", "-q", "-f", "raw", "--preallocation=full", raw, "1M").assertExit(0);

        assertThat(raw).hasSize(MIB);
        Cli.run("resize", "-f", "raw", "--preallocation=metadata", raw, "2M").assertError(2, "metadata");
    }

    @Test
    void newRawImageHasWholeSectors() throws IOException {
        Path raw = folder.resolve("a.raw");

        Cli ours = Cli.run("create", raw, "1000").assertExit(0);

        assertThat(raw).hasSize(1024);
        assertThat(ours.out()).isEqualTo("Formatting '" + raw + "', fmt=raw size=1000\n");
    }

    @Test
    void rawDataFileNeedsADataFile() {
        Cli.run("create", "-f", "qcow2", "-o", "data_file_raw=on", folder.resolve("a"), "1M")
                .assertError(2, "data_file_raw=on requires data_file");
        Cli.run("create", "-q", "-f", "qcow2", "-o", "data_file_raw=off", folder.resolve("a"), "1M")
                .assertExit(0);
    }

    @ParameterizedTest
    @CsvSource({"64k, 256k", "100, 200", "3M, 1M", "0, 9M"})
    void mapShowsAPart(String start, String length) throws IOException {
        Path image = TempImages.qemu(folder, "a.qcow2", "qcow2", 4 * MIB);
        ReferenceTools.runOk("qemu-io", "-c", "write -P 1 100k 900k", image.toString());
        String[] words = {
            "map", "-U", "--output=json", "--start-offset=" + start, "--max-length=" + length, image.toString()
        };

        JsonNode ours = Cli.run((Object[]) words).assertExit(0).json();

        ours.forEach(line -> ((ObjectNode) line).remove(List.of("compressed", "unreadable")));
        assertThat(ours).isEqualTo(qemu(words).assertSuccess().json());
    }

    @Test
    void mapTakesTheLettersOfQemu() throws IOException {
        Path image = TempImages.qemu(folder, "a.qcow2", "qcow2", 4 * MIB);
        String[] words = {"map", "-s", "1M", "-l", "64k", "--output=json", image.toString()};

        JsonNode ours = Cli.run((Object[]) words).assertExit(0).json();

        ours.forEach(line -> ((ObjectNode) line).remove(List.of("compressed", "unreadable")));
        assertThat(ours).isEqualTo(qemu(words).assertSuccess().json());
    }

    @Test
    void mapOfNothingIsEmpty() throws IOException {
        Path image = TempImages.qemu(folder, "a.qcow2", "qcow2", MIB);

        assertThat(Cli.run("map", "--output=json", "--start-offset=9M", image)
                        .assertExit(0)
                        .out())
                .isEqualTo("[]\n");
        assertThat(Cli.run("map", "--output=json", "--max-length=0", image)
                        .assertExit(0)
                        .out())
                .isEqualTo("[]\n");
    }
}
