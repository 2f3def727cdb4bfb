package dev.platter.filesystem;

import dev.platter.core.BlockDevice;
import dev.platter.core.BlockDevices;
import dev.platter.core.DiskImages;
import dev.platter.core.Limits;
import dev.platter.core.OpenOptions;
import dev.platter.testkit.ReferenceTools;
import dev.platter.testkit.ToolResult;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.HashMap;
import java.util.Map;

/** Volumes for tests, and what {@code blkid} says of them. */
final class TestVolumes {

    private TestVolumes() {}

    static BlockDevice open(Path file) throws IOException {
        return DiskImages.open(file, OpenOptions.builder().format("raw").build());
    }

    static BlockDevice of(ByteBuffer bytes) {
        return BlockDevices.ofBytes("volume", bytes);
    }

    static Recognition recognise(Path file) throws IOException {
        try (BlockDevice device = open(file)) {
            return FileSystems.recognise(device, Limits.defaults());
        }
    }

    static Recognition recognise(ByteBuffer bytes) throws IOException {
        try (BlockDevice device = of(bytes)) {
            return FileSystems.recognise(device, Limits.defaults());
        }
    }

    /** The one file system of a volume that is known to have one. */
    static FileSystem one(Recognition recognition) {
        return recognition.fileSystem().orElseThrow(() -> new AssertionError("nothing recognised: " + recognition));
    }

    /** Runs {@code blkid -p}; the tags by name, and its exit status as {@code exit}. */
    static Map<String, String> blkid(Path file) throws IOException {
        ReferenceTools.assumeTool("blkid");
        ToolResult result = ReferenceTools.run("blkid", "-p", "-o", "export", file.toString());
        Map<String, String> tags = new HashMap<>();
        tags.put("exit", Integer.toString(result.exit()));
        result.stdout().lines().filter(line -> line.contains("=")).forEach(line -> {
            int equals = line.indexOf('=');
            tags.put(line.substring(0, equals), unescape(line.substring(equals + 1)));
        });
        return tags;
    }

    /** Undoes the backslashes of {@code -o export}, and the notation {@code M-^C} of all that is not ASCII. */
    private static String unescape(String text) {
        ByteArrayOutputStream bytes = new ByteArrayOutputStream();
        int i = 0;
        while (i < text.length()) {
            i += text.charAt(i) == '\\' ? 1 : 0;
            int high = 0;
            if (text.startsWith("M-", i)) {
                high = 0x80;
                i += 2;
                i += text.charAt(i) == '\\' ? 1 : 0;
            }
            boolean control = text.charAt(i) == '^' && i + 1 < text.length();
            i += control ? 1 : 0;
            bytes.write(high | (control ? text.charAt(i) ^ 0x40 : text.charAt(i)));
            i++;
        }
        return bytes.toString(StandardCharsets.UTF_8);
    }
}
