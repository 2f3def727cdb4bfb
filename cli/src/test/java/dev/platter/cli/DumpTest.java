package dev.platter.cli;

import static org.assertj.core.api.Assertions.assertThat;

import dev.platter.testkit.Contents;
import dev.platter.testkit.Corpus;
import dev.platter.testkit.ReferenceTools;
import dev.platter.testkit.TempImages;
import dev.platter.testkit.TestBytes;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.OutputStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.List;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

final class DumpTest {
    private static final int SIZE = 3 << 20;

    @TempDir
    private Path folder;

    @ParameterizedTest
    @ValueSource(ints = {0, 1, 511, 65536, (1 << 20) + 1})
    void everyByteComesOut(int size) throws IOException {
        byte[] bytes = TestBytes.of(0, size);
        Path image = TempImages.raw(folder, "a.raw", bytes);
        ByteArrayOutputStream out = new ByteArrayOutputStream();

        Cli.run(out, "dump", image).assertExit(0);
        Cli.run("dump", image, "-o", folder.resolve("b.raw")).assertExit(0);

        assertThat(out.toByteArray()).isEqualTo(bytes);
        assertThat(folder.resolve("b.raw")).hasBinaryContent(bytes);
        assertThat(names()).containsExactlyInAnyOrder("a.raw", "b.raw");
    }

    @Test
    void dashIsStandardOutput() throws IOException {
        Path image = TempImages.raw(folder, "a.raw", TestBytes.of(0, 4096));
        ByteArrayOutputStream out = new ByteArrayOutputStream();

        Cli.run(out, "dump", "-o", "-", image).assertExit(0);

        assertThat(out.toByteArray()).isEqualTo(TestBytes.of(0, 4096));
        assertThat(names()).containsExactly("a.raw");
    }

    @Test
    void zerosAreHoles() throws IOException {
        byte[] bytes = new byte[SIZE];
        System.arraycopy(TestBytes.of(0, 100), 0, bytes, 1 << 20, 100);
        Path image = TempImages.raw(folder, "a.raw", bytes);
        Path copy = folder.resolve("b.raw");

        Cli.run("dump", "-o", copy, image).assertExit(0);

        assertThat(copy).hasBinaryContent(bytes);
        ReferenceTools.assumeTool("stat");
        String blocks =
                ReferenceTools.run(List.of("stat", "-c", "%b", copy.toString())).stdout();
        assertThat(Long.parseLong(blocks.strip()) * 512).isLessThan(SIZE / 2);
    }

    @Test
    void compressedImageComesOutWhole() throws IOException {
        Path raw = TempImages.raw(folder, "a.raw", TestBytes.of(0, SIZE));
        Path image = TempImages.qemuConvert(raw, "a.qcow2", "qcow2", "-c", "-o", "cluster_size=4k");

        Cli.run("dump", "-o", folder.resolve("b.raw"), image).assertExit(0);

        assertThat(folder.resolve("b.raw")).hasBinaryContent(TestBytes.of(0, SIZE));
    }

    @Test
    void existingFileIsRefusedWithoutForce() throws IOException {
        Path image = TempImages.raw(folder, "a.raw", TestBytes.of(0, 4096));
        Path taken = Files.writeString(folder.resolve("taken"), "mine");

        Cli.run("dump", "-o", taken, image).assertError(1, "taken: exists already", "--force");
        assertThat(taken).hasContent("mine");

        Cli.run("dump", "--force", "-o", taken, image).assertExit(0);
        assertThat(taken).hasBinaryContent(TestBytes.of(0, 4096));
        assertThat(names()).containsExactlyInAnyOrder("a.raw", "taken");
    }

    @Test
    void forceFollowsLinksAndRefusesFolders() throws IOException {
        Path image = TempImages.raw(folder, "a.raw", TestBytes.of(0, 4096));
        Path real = Files.writeString(folder.resolve("real"), "mine");
        Path link = Files.createSymbolicLink(folder.resolve("link"), real);

        Cli.run("dump", "--force", "-o", link, image).assertExit(0);
        Cli.run("dump", "--force", "-o", folder, image).assertError(1, "is no regular file");

        assertThat(link).isSymbolicLink();
        assertThat(real).hasBinaryContent(TestBytes.of(0, 4096));
    }

    @Test
    void fileAppearsWithThePermissionsOfANewFile() throws IOException {
        Path image = TempImages.raw(folder, "a.raw", TestBytes.of(0, 4096));
        Path other = Files.createFile(folder.resolve("other"));
        Path copy = folder.resolve("b.raw");

        Cli.run("dump", "-o", copy, image).assertExit(0);

        assertThat(PosixFilePermissions.toString(Files.getPosixFilePermissions(copy)))
                .isEqualTo(PosixFilePermissions.toString(Files.getPosixFilePermissions(other)));
    }

    @Test
    void failureLeavesNoHalfFile() throws IOException {
        Path raw = TempImages.raw(folder, "base.raw", TestBytes.of(0, 1 << 20));
        Path image = TempImages.qemu(folder, "top.qcow2", "qcow2", SIZE, "-b", raw.toString(), "-F", "raw");

        Cli.run("dump", "-o", folder.resolve("b.raw"), image)
                .assertError(1, "backing file", "--allow-references " + folder);

        assertThat(names()).containsExactlyInAnyOrder("base.raw", "top.qcow2");
        Cli.run("dump", "--allow-references", folder, "-o", folder.resolve("b.raw"), image)
                .assertExit(0);
        assertThat(Files.size(folder.resolve("b.raw"))).isEqualTo(SIZE);
    }

    @Test
    void truncatedFileIsZerosWhereThatIsAsked() throws IOException {
        Path image = Corpus.assumeCorpus().copy("h-cut-data.qcow2", folder);
        Path copy = folder.resolve("b.raw");

        Cli.run("dump", "-o", copy, image).assertExit(1);
        assertThat(copy).doesNotExist();

        Cli run = Cli.run("dump", "--truncated=zeros", "-o", copy, image).assertExit(0);
        assertThat(run.err()).contains("warning: ");
        assertThat(Cli.run("dump", "-q", "--force", "--truncated=zeros", "-o", copy, image)
                        .assertExit(0)
                        .err())
                .isEmpty();
    }

    @Test
    void snapshotAndVolumesComeOutByName() throws IOException {
        Path image = TempImages.raw(folder, "a.raw", Contents.of(TestBytes.of(0, 4096)));
        ByteArrayOutputStream out = new ByteArrayOutputStream();

        Cli.run(out, "dump", "--device", "/dev/sda", image).assertExit(0);

        assertThat(out.toByteArray()).isEqualTo(TestBytes.of(0, 4096));
        Cli.run("dump", "--device", "/dev/sdb", image).assertError(1, "/dev/sdb: there is no such device");
        Cli.run("dump", "--snapshot", "s", image).assertError(1, "no snapshot \"s\"");
    }

    @Test
    void internalErrorsOfTheReaderLeaveNoHalfFileEither() throws IOException {
        Path image = TempImages.raw(folder, "a.raw", TestBytes.of(0, 4096));

        Cli.run("dump", "-o", folder.resolve("missing/b.raw"), image).assertError(1, "no such folder");

        assertThat(names()).containsExactly("a.raw");
    }

    @Test
    void partFileOfAKilledProcessIsNotInTheWay() throws IOException {
        Path image = TempImages.raw(folder, "a.raw", TestBytes.of(0, 4096));
        String left = "b.raw.part-" + ProcessHandle.current().pid();
        Files.createFile(folder.resolve(left));

        Cli.run("dump", "-o", folder.resolve("b.raw"), image).assertExit(0);

        assertThat(names()).containsExactlyInAnyOrder("a.raw", "b.raw", left);
    }

    @Test
    void fileThatComesIntoBeingMeanwhileIsKept() throws IOException {
        Path target = folder.resolve("b.raw");
        try (PartFile part = PartFile.create(target, false)) {
            Files.writeString(target, "mine");

            org.assertj.core.api.Assertions.assertThatThrownBy(part::commit).hasMessageContaining("exists already");
        }

        assertThat(target).hasContent("mine");
        assertThat(names()).containsExactly("b.raw");
    }

    @Test
    void closedPipeEndsQuietly() throws IOException {
        Path image = TempImages.raw(folder, "a.raw", TestBytes.of(0, 4096));
        OutputStream closed = new OutputStream() {
            @Override
            public void write(int b) throws IOException {
                throw new IOException("Broken pipe");
            }
        };

        assertThat(Cli.run(closed, "dump", image).assertExit(1).err()).isEmpty();
    }

    private List<String> names() throws IOException {
        try (Stream<Path> files = Files.list(folder)) {
            return files.map(file -> String.valueOf(file.getFileName())).toList();
        }
    }
}
