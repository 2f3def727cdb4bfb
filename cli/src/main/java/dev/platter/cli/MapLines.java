package dev.platter.cli;

import dev.platter.core.BlockDevice;
import dev.platter.core.DiskImage;
import dev.platter.core.Extent;
import dev.platter.core.Extents;
import dev.platter.core.Printable;
import java.io.IOException;
import java.util.ArrayList;
import java.util.List;

/** Prints extents as they come, in the forms of {@code qemu-img map}. QEMU: qemu-img.c, dump_map_entry. */
abstract class MapLines implements Extents.Consumer {
    final TextOutput out;
    private long firstUnreadable = -1;

    MapLines(TextOutput out) {
        this.out = out;
    }

    @Override
    public final boolean accept(Extent extent) throws IOException {
        if (extent.unreadable() && firstUnreadable < 0) {
            firstUnreadable = extent.offset();
        }
        print(extent);
        return true;
    }

    abstract void print(Extent extent) throws IOException;

    abstract void finish() throws IOException;

    /** Returns the first byte that cannot be read, or -1. */
    final long firstUnreadable() {
        return firstUnreadable;
    }

    /** Returns whether there is data that this form cannot show. */
    boolean hasHiddenClusters() {
        return false;
    }

    /** One object a line. Newer qemu prints "compressed"; "unreadable" is ours. */
    static final class Json extends MapLines {
        private final boolean bare;
        private String between = "[";

        Json(TextOutput out, DiskImage image) {
            super(out);
            // nothing can show through its holes
            this.bare = image.info().format().equals("raw");
        }

        @Override
        void print(Extent extent) throws IOException {
            boolean data = extent.allocated() && !extent.readsAsZero();
            out.ascii(between).ascii("{ \"start\": ").number(extent.offset());
            out.ascii(", \"length\": ").number(extent.length());
            out.ascii(", \"depth\": ").number(extent.depth());
            out.ascii(bare || extent.allocated() ? ", \"present\": true" : ", \"present\": false");
            out.ascii(extent.readsAsZero() ? ", \"zero\": true" : ", \"zero\": false");
            out.ascii(data ? ", \"data\": true" : ", \"data\": false");
            out.ascii(extent.compressed() ? ", \"compressed\": true" : ", \"compressed\": false");
            if (extent.below() != null) {
                out.ascii(", \"offset\": ").number(extent.belowOffset());
            }
            out.ascii(extent.unreadable() ? ", \"unreadable\": true}" : "}");
            between = ",\n";
        }

        @Override
        void finish() throws IOException {
            out.ascii(between.equals("[") ? "[]\n" : "]\n");
        }
    }

    /** A table of the data, with the files that hold it. */
    static final class Human extends MapLines {
        private final List<String> files = new ArrayList<>();
        private final DiskImage image;
        private boolean hiddenClusters;

        Human(TextOutput out, DiskImage image) throws IOException {
            super(out);
            this.image = image;
            out.ascii("Offset          Length          Mapped to       File\n");
        }

        @Override
        void print(Extent extent) throws IOException {
            BlockDevice below = extent.below();
            if (extent.unreadable()) {
                out.hexColumn(extent.offset()).hexColumn(extent.length()).ascii("unreadable\n");
            } else if (extent.allocated() && !extent.readsAsZero()) {
                if (below == null) {
                    hiddenClusters = true;
                } else {
                    out.hexColumn(extent.offset()).hexColumn(extent.length()).hexColumn(extent.belowOffset());
                    out.text(file(extent.depth())).ascii("\n");
                }
            }
        }

        @Override
        void finish() {}

        @Override
        boolean hasHiddenClusters() {
            return hiddenClusters;
        }

        /** Returns the name of the file that holds the data of a layer. */
        private String file(int depth) {
            if (files.isEmpty()) {
                for (DiskImage layer = image; layer != null; layer = layer.backing()) {
                    Object dataFile = layer.info().formatSpecific().get("data-file");
                    String name = dataFile == null ? layer.info().filename() : String.valueOf(dataFile);
                    files.add(Printable.escape(name));
                }
            }
            return depth < files.size() ? files.get(depth) : "";
        }
    }
}
