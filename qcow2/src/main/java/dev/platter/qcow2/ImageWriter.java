package dev.platter.qcow2;

import dev.platter.core.BlockDevice;
import java.io.IOException;
import org.jspecify.annotations.Nullable;

/** What writes an image, together. */
record ImageWriter(
        TableWriter tables,
        ClusterWriter clusters,
        CompressedWriter compressing,
        ZeroWriter zeros,
        Resize resize,
        ZeroExpansion expansion) {

    /**
     * Refuses what {@link #open} does whatever the refcounts are: so that they are not mended in vain.
     *
     * @throws dev.platter.core.DiskImageException if the image cannot be written
     */
    static void requirePossible(Qcow2Opening opening) throws IOException {
        Qcow2Header header = opening.header;
        MetadataMap metadata = new MetadataMap(opening.file.name(), header.clusterBits());
        metadata.put(0, MetadataMap.Kind.HEADER);
        new MetadataWalk(header, opening.file, metadata).claim(opening.snapshots, opening.bitmaps);
        new CutOff(opening).requireDataFile();
        BitmapWriter.requireRecordable(header, opening.file, opening.bitmaps);
    }

    /** Reads where the image keeps its tables, and refuses one in which they lie in each other. */
    static ImageWriter open(
            Qcow2Opening opening,
            ClusterMapper mapper,
            ClusterReader reader,
            CompressedClusters compressed,
            @Nullable BlockDevice backing)
            throws IOException {
        Qcow2Header header = opening.header;
        HostFile file = opening.file;
        HostFile dataFile = opening.dataFile;
        MetadataMap metadata = new MetadataMap(file.name(), header.clusterBits());
        HeaderFields fields = new HeaderFields(file);
        metadata.put(0, MetadataMap.Kind.HEADER);
        Allocator allocator = Allocator.open(header, file, fields, metadata);
        new MetadataWalk(header, file, metadata).claim(opening.snapshots, opening.bitmaps);
        new CutOff(opening).refuse(allocator);
        BitmapTables bitmapTables =
                new BitmapTables(header, file, allocator, !opening.bitmaps.isEmpty(), opening.options.onWarning());
        BitmapWriter bitmaps = new BitmapWriter(
                header,
                file,
                bitmapTables,
                opening.bitmaps,
                opening.options.limits().metadataBytes(),
                opening.options.onWarning());
        TableWriter tables =
                new TableWriter(header, file, dataFile, mapper, compressed, allocator, metadata, fields, bitmaps);
        ClusterWriter clusters = new ClusterWriter(header, file, dataFile, mapper, reader, tables);
        ZeroWriter zeros = new ZeroWriter(header, file, dataFile, mapper, tables, clusters, backing);
        Resize resize = new Resize(header, file, dataFile, mapper, reader, tables, clusters, zeros, backing);
        CompressedWriter compressing = new CompressedWriter(header, file, dataFile, mapper, tables, clusters);
        ZeroExpansion expansion = new ZeroExpansion(header, mapper, tables, clusters, backing);
        return new ImageWriter(tables, clusters, compressing, zeros, resize, expansion);
    }
}
