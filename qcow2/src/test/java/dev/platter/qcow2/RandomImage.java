package dev.platter.qcow2;

import dev.platter.testkit.Contents;
import dev.platter.testkit.TestBytes;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.util.Random;
import org.jspecify.annotations.Nullable;

/** An image whose clusters are of kinds chosen at random, and the model of what its guest has to see. */
final class RandomImage {
    private static final int SUBCLUSTERS = 32;

    /** Backing bytes are test bytes that seem to come from far away, so that they are never taken for the image's own. */
    private static final long BACKING_TAG = 1L << 40;

    private final Shape shape;
    private final Contents below;
    private final Qcow2Builder builder;
    private final Source[] units;
    private final int unitSize;

    private enum Source {
        BACKING,
        ZERO,
        DATA
    }

    /** How clusters may be compressed. */
    enum Compression {
        NONE,
        DEFLATE,
        ZSTD
    }

    /**
     * What an image is like.
     *
     * @param size bytes of the disk
     * @param backing format of its backing file, or null
     * @param backingSize bytes of the backing file
     */
    record Shape(
            int version,
            int clusterBits,
            boolean extendedL2,
            Compression compression,
            long size,
            @Nullable String backing,
            long backingSize) {

        static Shape of(int version, int clusterBits, boolean extendedL2, Compression compression, long size) {
            return new Shape(version, clusterBits, extendedL2, compression, size, null, 0);
        }

        Shape over(String format, long bytes) {
            return new Shape(version, clusterBits, extendedL2, compression, size, format, bytes);
        }

        @Override
        public String toString() {
            return "v" + version + ", clusters of " + (1 << clusterBits) + (extendedL2 ? ", extended L2" : "")
                    + (compression == Compression.NONE ? "" : ", " + compression) + ", " + size + " bytes"
                    + (backing == null ? "" : " over " + backing + " of " + backingSize);
        }
    }

    RandomImage(Shape shape, Random random) {
        this.shape = shape;
        this.below = shape.backing() == null ? Contents.zeros(shape.size()) : padded(backing(shape.backingSize()));
        int clusterSize = 1 << shape.clusterBits();
        this.unitSize = shape.extendedL2() ? clusterSize / SUBCLUSTERS : clusterSize;
        long clusters = (shape.size() + clusterSize - 1) / clusterSize;
        this.units = new Source[Math.toIntExact(clusters * (clusterSize / unitSize))];
        this.builder = new Qcow2Builder(shape.version(), shape.clusterBits(), shape.size());
        if (shape.extendedL2()) {
            builder.extendedL2();
        }
        if (shape.compression() == Compression.ZSTD) {
            builder.zstd();
        }
        if (shape.backing() != null) {
            builder.backing(backingName(), shape.backing());
        }
        for (int cluster = 0; cluster < clusters; ) {
            int run = 1 + random.nextInt(4);
            int kind = random.nextInt(8);
            for (int i = 0; i < run && cluster < clusters; i++) {
                addCluster(cluster++, kind, random);
            }
        }
    }

    /** Returns the bytes that a backing file of these tests has. */
    static Contents backing(long size) {
        return Contents.of(size, (offset, into) -> TestBytes.fill(BACKING_TAG + offset, into));
    }

    String backingName() {
        return "base." + shape.backing();
    }

    Qcow2Builder builder() {
        return builder;
    }

    /** Returns what the guest sees. */
    Contents contents() {
        return Contents.of(shape.size(), this::fill);
    }

    private void addCluster(int cluster, int kind, Random random) {
        boolean compresses = shape.compression() != Compression.NONE;
        if (kind <= 1) {
            mark(cluster, Source.BACKING);
        } else if (kind == 2 && shape.version() == 3) {
            builder.zero(cluster);
            markZero(cluster);
        } else if (kind == 3 && shape.version() == 3 && !shape.extendedL2()) {
            builder.zeroAllocated(cluster);
            mark(cluster, Source.ZERO);
        } else if (kind >= 4 && kind <= 5 && shape.extendedL2()) {
            addSubclusters(cluster, random);
        } else if (kind >= 6 && compresses) {
            builder.compressed(cluster);
            mark(cluster, Source.DATA);
        } else {
            builder.data(cluster);
            mark(cluster, Source.DATA);
        }
    }

    private void markZero(int cluster) {
        if (shape.extendedL2()) {
            builder.bareSubclusters(cluster, 0xffff_ffffL);
        }
        mark(cluster, Source.ZERO);
    }

    private void addSubclusters(int cluster, Random random) {
        long bitmap = 0;
        int at = cluster * SUBCLUSTERS;
        boolean bare = random.nextInt(4) == 0;
        int current = 0;
        for (int i = 0; i < SUBCLUSTERS; i++) {
            current = random.nextInt(3) == 0 ? random.nextInt(bare ? 2 : 3) : current;
            units[at + i] = Source.values()[current];
            bitmap |= current == 2 ? 1L << i : current == 1 ? 1L << (32 + i) : 0;
        }
        if (bare) {
            builder.bareSubclusters(cluster, bitmap >>> 32);
        } else if (bitmap == 0) {
            mark(cluster, Source.BACKING);
        } else {
            builder.subclusters(cluster, bitmap);
        }
    }

    private void mark(int cluster, Source source) {
        int perCluster = (1 << shape.clusterBits()) / unitSize;
        for (int i = 0; i < perCluster; i++) {
            units[cluster * perCluster + i] = source;
        }
    }

    private void fill(long offset, ByteBuffer into) throws IOException {
        int limit = into.limit();
        long at = offset;
        while (into.position() < limit) {
            int run = (int) Math.min(limit - into.position(), unitSize - at % unitSize);
            into.limit(into.position() + run);
            switch (units[(int) (at / unitSize)]) {
                case BACKING -> below.get(at, into);
                case ZERO -> Contents.zeros(shape.size()).get(at, into);
                case DATA -> TestBytes.fill(at, into);
            }
            into.limit(limit);
            at += run;
        }
    }

    /** Bytes with zeros behind them for ever. */
    private Contents padded(Contents bytes) {
        return bytes.then(Contents.zeros(Math.max(0, shape.size() - bytes.size())));
    }
}
