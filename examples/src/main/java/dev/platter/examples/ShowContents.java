package dev.platter.examples;

import dev.platter.filesystem.FileSystem;
import dev.platter.inspect.ImageInspector;
import dev.platter.lvm.LogicalVolume;
import dev.platter.lvm.VolumeGroup;
import dev.platter.partition.Partition;
import java.io.IOException;
import java.io.PrintStream;
import java.nio.file.Path;
import java.util.Map;

/** Prints what is inside an image: partitions, logical volumes, file systems. */
public final class ShowContents {

    private ShowContents() {}

    /** Takes the path of an image. */
    public static void main(String[] args) throws IOException {
        show(Path.of(args[0]), System.out);
    }

    static void show(Path path, PrintStream out) throws IOException {
        try (ImageInspector image = ImageInspector.open(path)) {
            for (Partition p : image.partitions()) {
                out.println(
                        "partition " + p.number() + ": " + p.size() + " bytes at " + p.start() + ", " + p.typeName());
            }
            for (VolumeGroup group : image.volumeGroups()) {
                for (LogicalVolume volume : group.logicalVolumes()) {
                    out.println("volume " + image.deviceName(group, volume) + ": " + volume.size() + " bytes");
                }
            }
            for (Map.Entry<String, FileSystem> found : image.fileSystems().entrySet()) {
                out.println("file system " + found.getKey() + ": "
                        + found.getValue().type());
            }
        }
    }
}
