package dev.platter.cli;

import static org.assertj.core.api.Assertions.assertThat;

import dev.platter.testkit.ReferenceTools;
import dev.platter.testkit.TempImages;
import dev.platter.testkit.ToolResult;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.file.Files;
import java.nio.file.Path;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** What {@code -l} names: the snapshot that qemu-img and qemu-nbd take, where ids of some are names of others. */
final class SnapshotChoiceTest extends JudgedByQemu {
    private static final int MIB = 1 << 20;

    @ParameterizedTest
    @ValueSource(
            strings = {
                "1",
                "2",
                "foo",
                "f,oo",
                "none",
                "snapshot.id=1",
                "snapshot.id=2",
                "snapshot.id=foo",
                "snapshot.id=9",
                "snapshot.name=1",
                "snapshot.name=2",
                "snapshot.name=foo",
                "snapshot.name=f,,oo",
                "snapshot.name=9",
                "snapshot.id=1,snapshot.name=foo",
                "snapshot.id=2,snapshot.name=foo",
                "snapshot.name=foo,snapshot.id=2",
                "snapshot.id=1,snapshot.id=2",
                "snapshot.id=3,snapshot.name=2",
            })
    void isTheOneThatQemuTakes(String choice) throws IOException {
        Path image = image();
        Path ours = folder.resolve("ours.raw");
        Path theirs = folder.resolve("theirs.raw");

        ToolResult reference = qemu("convert", "-O", "raw", "-l", choice, image.toString(), theirs.toString());
        Cli run = Cli.run("convert", "-O", "raw", "-l", choice, image, ours).assertExit(reference.exit());

        if (reference.exit() == 0) {
            assertThat(ours).hasBinaryContent(Files.readAllBytes(theirs));
        } else {
            run.assertError(1, "a.qcow2: there is no snapshot ");
            assertThat(ours).doesNotExist();
        }
        String[] measure = {"measure", "-O", "qcow2", "-l", choice, image.toString()};
        ToolResult measured = qemu(measure);
        assertThat(Cli.run((Object[]) measure).assertExit(measured.exit()).out())
                .isEqualTo(measured.exit() == 0 ? measured.stdout() : "");
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "none",
                "snapshot.id=foo",
                "snapshot.name=9",
                "snapshot.id=1,snapshot.name=foo",
                "snapshot.foo=1",
                "snapshot.foo",
                "snapshot.id=1,x=2"
            })
    void isNotServedWhereQemuNbdDoesNot(String choice) throws IOException {
        ReferenceTools.assumeTool("qemu-nbd");
        Path image = image();
        String socket = folder.resolve("s").toString();

        ToolResult theirs = ReferenceTools.run("qemu-nbd", "-k", socket, "-l", choice, image.toString());
        Cli ours = Cli.run("nbd", "-k", socket, "-l", choice, image);

        assertThat(theirs.exit()).isEqualTo(1);
        ours.assertExit(1);
        assertThat(ours.err()).startsWith("platter nbd: Failed ");
    }

    @ParameterizedTest
    @ValueSource(strings = {"snapshot.foo=1", "snapshot.foo", "snapshot.id=1,x=2", "snapshot.id=1,name=foo"})
    void isNothingElse(String choice) throws IOException {
        Path image = image();
        Path copy = folder.resolve("copy.raw");

        assertThat(qemu("convert", "-O", "raw", "-l", choice, image.toString(), copy.toString())
                        .exit())
                .isEqualTo(1);
        Cli.run("convert", "-O", "raw", "-l", choice, image, copy)
                .assertError(2, "Failed in parsing snapshot param `" + choice + "'");
        Cli.run("measure", "-l", choice, image).assertError(2, "Failed in parsing snapshot param");

        assertThat(copy).doesNotExist();
    }

    @Test
    void isFoundForAVolumeToo() throws IOException {
        byte[] disk = new byte[2 * MIB];
        ByteBuffer table = ByteBuffer.wrap(disk).order(ByteOrder.LITTLE_ENDIAN);
        table.put(446 + 4, (byte) 0x83).putInt(446 + 8, 2048).putInt(446 + 12, 2048);
        table.putShort(510, (short) 0xaa55);
        Path image = TempImages.qemuConvert(TempImages.raw(folder, "a.raw", disk), "a.qcow2", "qcow2");
        qemuIo(image, "write -P 5 1M 1M");
        ReferenceTools.runOk("qemu-img", "snapshot", "-c", "2", image.toString());
        qemuIo(image, "write -P 6 1M 1M");
        ReferenceTools.runOk("qemu-img", "snapshot", "-c", "1", image.toString());
        Path copy = folder.resolve("copy.raw");

        Cli.run("convert", "-l", "snapshot.name=2", image + ":/dev/sda1", copy).assertExit(0);

        assertThat(Files.readAllBytes(copy)).hasSize(MIB).containsOnly(5);
        Cli.run("convert", "--force", "-l", "snapshot.id=2", image + ":/dev/sda1", copy)
                .assertExit(0);
        assertThat(Files.readAllBytes(copy)).containsOnly(6);
        Cli.run("convert", "-l", "snapshot.id=2,snapshot.name=2", image + ":/dev/sda1", folder.resolve("x"))
                .assertError(1, "there is no snapshot with id \"2\" and named \"2\"");
    }

    /** Snapshots 1 to 4 named 2, foo, 1 and f,oo. */
    private Path image() throws IOException {
        Path image = TempImages.qemu(folder, "a.qcow2", "qcow2", MIB);
        int pattern = 1;
        for (String name : new String[] {"2", "foo", "1", "f,oo"}) {
            qemuIo(image, "write -P " + pattern + " 0 " + pattern * 64 + "k");
            ReferenceTools.runOk("qemu-img", "snapshot", "-c", name, image.toString());
            pattern++;
        }
        qemuIo(image, "write -P 9 0 512k");
        return image;
    }
}
