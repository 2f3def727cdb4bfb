package dev.platter.cli;

import static org.assertj.core.api.Assertions.assertThat;

import dev.platter.testkit.ReferenceTools;
import dev.platter.testkit.TempImages;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.stream.Stream;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Command lines that qemu-img refuses. */
final class QemuRefusalsTest extends JudgedByQemu {
    private static final int MIB = 1 << 20;

    @ParameterizedTest
    @ValueSource(
            strings = {
                "measure --size 1X",
                "measure --size 8E",
                "measure -O vmdk --size 1G",
                "measure -O qcow2 -o cluster_size=3k --size 1G",
                "measure -O qcow2 -o colour=red --size 1G",
                "measure -O qcow2 -o compat=0.10,refcount_bits=8 --size 1G",
                "measure -O qcow2 -o extended_l2=on,cluster_size=4k --size 1G",
                "measure -O qcow2 -o preallocation=some --size 1G",
                "measure -O qcow2 NONE",
                "measure -O qcow2 -l none IMAGE",
                "measure -O raw -l none IMAGE",
                "measure -O qcow2 IMAGE IMAGE",
                "measure -f raw --size 1G",
                "measure --output=xml --size 1G",
                "dd if=IMAGE",
                "dd of=NEW",
                "dd if=IMAGE of=NEW bs=3G",
                "dd if=IMAGE of=NEW bs=x",
                "dd if=IMAGE of=NEW count=-1",
                "dd if=IMAGE of=NEW conv=notrunc",
                "dd if=IMAGE of=NEW conv",
                "dd if=NONE of=NEW",
                "dd -O vmdkx if=IMAGE of=NEW",
                "dd if=IMAGE of=NONE/NEW",
                "dd if= of=NEW",
                "dd if=IMAGE of=",
                "bitmap --add IMAGE",
                "bitmap IMAGE b",
                "bitmap --add IMAGE b",
                "bitmap --add IMAGE c d",
                "bitmap --remove IMAGE x",
                "bitmap --clear IMAGE x",
                "bitmap --enable IMAGE x",
                "bitmap --disable IMAGE x",
                "bitmap --merge x IMAGE b",
                "bitmap --merge b IMAGE x",
                "bitmap --add -g 3 IMAGE c",
                "bitmap --add -g 256 IMAGE c",
                "bitmap --add -g 4G IMAGE c",
                "bitmap --remove -g 512 IMAGE b",
                "bitmap --add -b IMAGE IMAGE c",
                "bitmap --merge b -F qcow2 IMAGE b",
                "bitmap --merge b -b NONE -F qcow2 IMAGE b",
                "bitmap --merge b -b OTHER -F qcow2 IMAGE b",
                "bitmap --add NONE b",
                "bitmap --add -f raw IMAGE b",
                "convert -n --target-image-opts -O qcow2 IMAGE NEW",
                "resize --shrink IMAGE 0",
                "resize --shrink IMAGE -1M",
                "convert -n -O qcow2 IMAGE IMAGE",
                "convert -n -O qcow2 NONE IMAGE",
                "convert -O qcow2 IMAGE",
                "convert -O qcow2 IMAGE NONE/NEW",
                "convert -O qcow2 -o encryption=on IMAGE NEW",
                "create -f qcow2 -o size=3M NEW 5M",
                "create -f qcow2 NEW 9223372036854775807",
                "create -f qcow2 NEW 9223372036854775296",
                "create -f qcow2 NONE/NEW 1M",
                "create -f qcow2 -o preallocation=some NEW 1M",
                "create -f qcow2 -o refcount_bits=3 NEW 1M",
                "create -f raw -o cluster_size=4k NEW 1M",
                "create -f raw -o preallocation=metadata NEW 1M",
                "rebase --allow-references FOLDER -b IMAGE -F qcow2 IMAGE",
                "rebase --allow-references FOLDER -b ABOVE -F qcow2 IMAGE",
                "amend -o compat=2 IMAGE",
                "amend -t some -o compat=1.1 IMAGE",
                "amend -f raw -o compat=1.1 IMAGE",
                "amend -o compat=1.1 IMAGE IMAGE",
                "amend -o compat=1.1 NONE"
            })
    void refusesWhatQemuRefusesAndLeavesTheImageAsItIs(String line) throws IOException {
        Path image = TempImages.qemu(folder, "a.qcow2", "qcow2", MIB);
        Path other = TempImages.qemu(folder, "b.qcow2", "qcow2", 2 * MIB);
        ReferenceTools.runOk("qemu-img", "bitmap", "--add", image.toString(), "b");
        ReferenceTools.runOk("qemu-img", "bitmap", "--add", other.toString(), "b");
        Path above = folder.resolve("c.qcow2");
        ReferenceTools.runOk(
                "qemu-img", "create", "-q", "-f", "qcow2", "-b", "a.qcow2", "-F", "qcow2", above.toString());
        byte[] before = Files.readAllBytes(image);
        Path made = folder.resolve("new");
        String[] words = line.split(" ", -1);
        for (int i = 0; i < words.length; i++) {
            words[i] = words[i].replace("IMAGE", image.toString())
                    .replace("OTHER", other.toString())
                    .replace("ABOVE", above.toString())
                    .replace("FOLDER", folder.toString())
                    .replace("NONE", folder.resolve("none").toString())
                    .replace("NEW", made.toString());
        }

        Cli ours = Cli.run((Object[]) words);

        assertThat(ours.exit()).as(ours.err()).isIn(1, 2);
        assertThat(ours.err().lines()).as(ours.err()).hasSize(1);
        assertThat(ours.err()).doesNotContain("internal error", ".part-");
        assertThat(image).hasBinaryContent(before);
        assertThat(made).doesNotExist();
        assertThat(qemu(withoutOurs(words)).exit()).isEqualTo(1);
    }

    /** An option that qemu-img does not have. */
    private static String[] withoutOurs(String[] words) {
        return words[1].equals("--allow-references")
                ? Stream.concat(Stream.of(words[0]), Arrays.stream(words, 3, words.length))
                        .toArray(String[]::new)
                : words;
    }
}
