package dev.platter.cli;

import static org.assertj.core.api.Assertions.assertThat;

import dev.platter.testkit.ReferenceTools;
import dev.platter.testkit.TempImages;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.Random;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** convert -c, with qemu-img as judge. */
final class ConvertCompressedTest extends JudgedByQemu {

    @ParameterizedTest
    @ValueSource(
            strings = {
                "cluster_size=64k",
                "compat=0.10",
                "cluster_size=512",
                "cluster_size=4k,refcount_bits=1",
                "cluster_size=2M",
                "extended_l2=on,cluster_size=128k",
                "compression_type=zstd",
                "compression_type=zstd,cluster_size=2M,refcount_bits=64"
            })
    void compressedImageHoldsTheSameBytes(String options) throws IOException {
        Path raw = raw(9_000_448);
        Path image = folder.resolve("a.qcow2");

        Cli.run("convert", "-c", "-O", "qcow2", "-o", options, raw, image).assertExit(0);

        assertClean(image);
        ReferenceTools.runOk("qemu-img", "compare", "-f", "raw", "-F", "qcow2", raw.toString(), image.toString());
        assertThat(compressed(image)).isPositive();
    }

    @Test
    void imageIsNoLargerThanThatOfQemu() throws IOException {
        Path raw = raw(16 << 20);
        Path ours = folder.resolve("ours.qcow2");
        Path theirs = TempImages.qemuConvert(raw, "theirs.qcow2", "qcow2", "-c");

        Cli.run("convert", "-c", "-O", "qcow2", raw, ours).assertExit(0);

        assertThat(Files.size(ours)).isLessThanOrEqualTo(Files.size(theirs) * 101 / 100);
        assertThat(compressed(ours)).isEqualTo(compressed(theirs));
    }

    @ParameterizedTest
    @ValueSource(strings = {"1", "2", "16"})
    void threadsMakeTheSameImageInOrder(String threads) throws IOException {
        Path raw = raw(20 << 20);
        Path alone = folder.resolve("alone.qcow2");
        Path ordered = folder.resolve("ordered.qcow2");
        Path unordered = folder.resolve("unordered.qcow2");

        Cli.run("convert", "-c", "-m", "1", "-O", "qcow2", raw, alone).assertExit(0);
        Cli.run("convert", "-c", "-m", threads, "-O", "qcow2", raw, ordered).assertExit(0);
        Cli.run("convert", "-c", "-W", "-m", threads, "-O", "qcow2", raw, unordered)
                .assertExit(0);

        assertThat(Files.mismatch(alone, ordered)).isEqualTo(-1);
        assertClean(unordered);
        ReferenceTools.runOk("qemu-img", "compare", ordered.toString(), unordered.toString());
    }

    @Test
    void threadsCopyPlainImagesToo() throws IOException {
        Path raw = raw(20 << 20);
        Path compressed = folder.resolve("a.qcow2");
        Path back = folder.resolve("back.raw");
        Path plain = folder.resolve("plain.qcow2");
        Cli.run("convert", "-c", "-O", "qcow2", raw, compressed).assertExit(0);

        Cli.run("convert", "-m", "3", "-W", compressed, back).assertExit(0);
        Cli.run("convert", "-m", "3", "-W", "-O", "qcow2", compressed, plain).assertExit(0);

        assertThat(Files.mismatch(raw, back)).isEqualTo(-1);
        assertClean(plain);
        ReferenceTools.runOk("qemu-img", "compare", "-f", "raw", "-F", "qcow2", raw.toString(), plain.toString());
    }

    @Test
    void imageThatIsThereIsOverwrittenCompressed() throws IOException {
        Path raw = raw(4 << 20);
        Path target = TempImages.qemu(folder, "b.qcow2", "qcow2", 4 << 20);
        ReferenceTools.runOk("qemu-io", "-c", "write -c -P 8 1M 64k", "-c", "write -P 7 2M 2M", target.toString());

        Cli.run("convert", "-c", "-n", "-O", "qcow2", raw, target).assertExit(0);

        assertClean(target);
        ReferenceTools.runOk("qemu-img", "compare", "-f", "raw", "-F", "qcow2", raw.toString(), target.toString());
    }

    @Test
    void whatCannotBeCompressedIsNamed() throws IOException {
        Path raw = raw(1 << 20);
        Path image = folder.resolve("a.qcow2");

        Cli.run("convert", "-c", raw, folder.resolve("a")).assertError(2, "-c", "raw");
        Cli.run("convert", "-c", "-O", "qcow2", "-o", "preallocation=full", raw, image)
                .assertError(2, "preallocation");
        Cli.run("convert", "-c", "-O", "qcow2", "-o", "data_file=d", raw, image).assertError(2, "data_file");
        Cli.run("convert", "-m", "17", "-O", "qcow2", raw, image).assertError(2, "-m 17", "1 to 16");
        Cli.run("convert", "-m", "x", "-O", "qcow2", raw, image).assertError(2, "-m x");
        assertThat(image).doesNotExist();
    }

    /** Text, noise, zeros and holes, with borders anywhere. */
    private Path raw(int size) throws IOException {
        Random random = new Random(size);
        byte[] bytes = new byte[size];
        for (int at = 0; at < size; ) {
            int length = Math.min(size - at, 1 + random.nextInt(400_000));
            int kind = random.nextInt(4);
            if (kind == 0) {
                byte[] noise = new byte[length];
                random.nextBytes(noise);
                System.arraycopy(noise, 0, bytes, at, length);
            } else if (kind < 3) {
                for (int i = at; i < at + length; i++) {
                    int back = 1 + random.nextInt(200);
                    bytes[i] = i > 300 && random.nextInt(10) > 0 ? bytes[i - back] : (byte) ('a' + random.nextInt(26));
                }
            }
            at += length;
        }
        Arrays.fill(bytes, size - 100, size, (byte) 1);
        return TempImages.raw(folder, "source.raw", bytes);
    }

    private static long compressed(Path image) throws IOException {
        return counts(image).path("compressed-clusters").asLong();
    }
}
