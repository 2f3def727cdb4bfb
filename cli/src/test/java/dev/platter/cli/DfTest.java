package dev.platter.cli;

import static org.assertj.core.api.Assertions.assertThat;

import dev.platter.filesystem.DiskUsage;
import dev.platter.testkit.Corpus;
import dev.platter.testkit.TempImages;
import java.io.IOException;
import java.nio.file.Path;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

final class DfTest {
    private static final DiskUsage USAGE = new DiskUsage(10 << 20, 4 << 20, 3 << 20, true);

    @TempDir
    private Path folder;

    @Test
    void lineHasTheColumnsOfVirtDf() {
        assertThat(DfCommand.line("guest.img:/dev/sda1", USAGE, false))
                .isEqualTo("guest.img:/dev/sda1                      10240       6144       3072   60%\n");
        assertThat(DfCommand.line("guest.img:/dev/sda1", USAGE, true))
                .isEqualTo("guest.img:/dev/sda1                        10M       6.0M       3.0M   60%\n");
    }

    @Test
    void longNameTakesALineOfItsOwn() {
        String name = "a-guest-with-a-long-name.qcow2:/dev/sda1";

        assertThat(DfCommand.line(name, USAGE, false))
                .isEqualTo(name + "\n" + " ".repeat(36) + "     10240       6144       3072   60%\n");
    }

    @Test
    void unknownUsageIsDashes() {
        assertThat(DfCommand.line("a:/dev/sda1", null, false)).endsWith("         -          -          -     -\n");
        assertThat(DfCommand.csvLine("a", "/dev/sda1", null)).isEqualTo("a,/dev/sda1,-,-,-,-\n");
    }

    @Test
    void percentIsRoundedUpAndEmptyIsNone() {
        assertThat(DfCommand.line("a", new DiskUsage(1000, 999, 0, true), false))
                .endsWith("  1%\n");
        assertThat(DfCommand.line("a", new DiskUsage(0, 0, 0, true), false)).endsWith("  0%\n");
    }

    @Test
    void csvQuotesFields() {
        assertThat(DfCommand.csvLine("my \"guest\"", "/dev/sda1", USAGE))
                .isEqualTo("\"my \"\"guest\"\"\",/dev/sda1,10240,6144,3072,60.0\n");
    }

    @Test
    void headersAreThoseOfVirtDf() throws IOException {
        Path image = TempImages.sparse(folder, "empty.raw", 1 << 20);

        assertThat(Cli.run("df", image).assertExit(0).out())
                .isEqualTo("Filesystem                           1K-blocks       Used  Available  Use%\n");
        assertThat(Cli.run("df", "-h", image).assertExit(0).out()).contains("      Size");
        assertThat(Cli.run("df", "--csv", image).assertExit(0).out())
                .isEqualTo("VirtualMachine,Filesystem,1K-blocks,Used,Available,Use%\n");
    }

    @Test
    void fileSystemsAreNamedByTheImageAndSwapIsLeftOut() throws IOException {
        Corpus corpus = Corpus.assumeCorpus();
        Path ext = corpus.unpack("bare-ext4.raw");
        Path swap = corpus.unpack("bare-swap.raw");

        assertThat(Cli.run("df", ext).assertExit(0).lines().get(1)).startsWith("bare-ext4.raw:/dev/sda ");
        assertThat(Cli.run("df", swap).assertExit(0).lines()).hasSize(1);
        assertThat(Cli.run("df", ext, swap).assertExit(0).lines().get(1)).startsWith("bare-ext4.raw+:/dev/sda ");
        assertThat(Cli.run("list-filesystems", ext, swap).assertExit(0).out())
                .isEqualTo("/dev/sda: ext4\n/dev/sdb: swap\n");
    }
}
