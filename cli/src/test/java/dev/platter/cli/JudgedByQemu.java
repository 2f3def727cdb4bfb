package dev.platter.cli;

import com.fasterxml.jackson.databind.JsonNode;
import dev.platter.testkit.ReferenceTools;
import dev.platter.testkit.ToolResult;
import java.io.IOException;
import java.io.RandomAccessFile;
import java.nio.file.Path;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.io.TempDir;

/** Tests of commands that have qemu-img as judge. */
abstract class JudgedByQemu {
    private static final long L1_TABLE_OFFSET = 40;
    private static final long OFFSET_MASK = 0x00ff_ffff_ffff_fe00L;

    @TempDir
    Path folder;

    @BeforeEach
    void requireQemu() {
        ReferenceTools.assumeTool("qemu-img");
        ReferenceTools.assumeTool("qemu-io");
    }

    /** Runs qemu-img, which may fail. */
    static ToolResult qemu(String... words) throws IOException {
        String[] command = new String[words.length + 1];
        command[0] = "qemu-img";
        System.arraycopy(words, 0, command, 1, words.length);
        return ReferenceTools.run(command);
    }

    /** Lets qemu-io do something to an image. */
    static void qemuIo(Path image, String... actions) throws IOException {
        String[] command = new String[2 * actions.length + 2];
        command[0] = "qemu-io";
        for (int i = 0; i < actions.length; i++) {
            command[2 * i + 1] = "-c";
            command[2 * i + 2] = actions[i];
        }
        command[command.length - 1] = image.toString();
        ReferenceTools.runOk(command);
    }

    static void assertClean(Path image) throws IOException {
        ReferenceTools.runOk("qemu-img", "check", "-f", "qcow2", image.toString());
    }

    /** What qemu-img check counts. */
    static JsonNode counts(Path image) throws IOException {
        return ReferenceTools.runOk("qemu-img", "check", "--output=json", image.toString())
                .json();
    }

    /** What qemu-img info knows of the format. */
    static JsonNode specific(Path image) throws IOException {
        return ReferenceTools.runOk("qemu-img", "info", "--output=json", image.toString())
                .json()
                .path("format-specific");
    }

    /** Changes the first entry of the L1 table. */
    static void putL1Entry(Path image, long entry) throws IOException {
        try (RandomAccessFile file = new RandomAccessFile(image.toFile(), "rw")) {
            file.seek(L1_TABLE_OFFSET);
            file.seek(file.readLong());
            file.writeLong(entry);
        }
    }

    /** Changes an entry of the first L2 table. */
    static void putL2Entry(Path image, int index, long entry) throws IOException {
        try (RandomAccessFile file = new RandomAccessFile(image.toFile(), "rw")) {
            file.seek(L1_TABLE_OFFSET);
            file.seek(file.readLong());
            file.seek((file.readLong() & OFFSET_MASK) + (long) index * Long.BYTES);
            file.writeLong(entry);
        }
    }
}
