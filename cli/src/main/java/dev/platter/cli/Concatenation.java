package dev.platter.cli;

import dev.platter.core.BlockDevice;
import dev.platter.core.BlockDevices;
import dev.platter.core.DiskImage;
import dev.platter.core.OpenOptions;
import java.io.Closeable;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.List;

/** Several images one behind the other, each from a whole sector on, as {@code qemu-img convert} takes them. */
final class Concatenation {
    private static final int SECTOR = 512;

    private Concatenation() {}

    /** Opens the images; they are closed with the device that is returned. */
    static BlockDevice open(List<String> names, OpenOptions options) throws IOException {
        List<Closeable> opened = new ArrayList<>();
        List<BlockDevice> parts = new ArrayList<>();
        boolean done = false;
        try {
            for (String name : names) {
                DiskImage image = new ImageName(name).open(options);
                opened.add(image);
                parts.add(image);
                int missing = (int) -image.size() & (SECTOR - 1);
                if (missing > 0) {
                    parts.add(BlockDevices.ofBytes("end of sector", ByteBuffer.allocate(missing)));
                }
            }
            BlockDevice all = BlockDevices.concat(String.join(" + ", names), parts);
            done = true;
            return BlockDevices.owning(all, opened.toArray(new Closeable[0]));
        } finally {
            for (int i = 0; !done && i < opened.size(); i++) {
                opened.get(i).close();
            }
        }
    }
}
