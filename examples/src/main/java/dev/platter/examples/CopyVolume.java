package dev.platter.examples;

import dev.platter.core.BlockDevice;
import dev.platter.inspect.ImageInspector;
import java.io.IOException;
import java.nio.channels.FileChannel;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;

/** Copies one volume of an image to a file: {@code CopyVolume guest.qcow2 /dev/vg0/root root.raw}. */
public final class CopyVolume {

    private CopyVolume() {}

    /** Takes the path of an image, the name of a device in it, and the path of a file that does not exist yet. */
    public static void main(String[] args) throws IOException {
        copy(Path.of(args[0]), args[1], Path.of(args[2]));
    }

    static void copy(Path path, String name, Path to) throws IOException {
        try (ImageInspector image = ImageInspector.open(path);
                BlockDevice device = image.device(name);
                FileChannel file = FileChannel.open(to, StandardOpenOption.CREATE_NEW, StandardOpenOption.WRITE)) {
            device.transferTo(0, device.size(), file);
        }
    }
}
