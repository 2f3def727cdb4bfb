package dev.platter.qcow2;

import dev.platter.core.DiskImage;
import dev.platter.core.DiskImages;
import dev.platter.core.OpenOptions;
import dev.platter.core.ReferencePolicy;
import dev.platter.qcow2.RandomImage.Compression;
import dev.platter.qcow2.RandomImage.Shape;
import dev.platter.testkit.BlockDeviceContract;
import dev.platter.testkit.DeviceFixture;
import dev.platter.testkit.Seed;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.stream.Stream;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedClass;
import org.junit.jupiter.params.provider.MethodSource;

/** The contract of a device on images of random tables, on snapshots in them, and on what writes them compressed. */
@ParameterizedClass
@MethodSource("shapes")
final class Qcow2ContractTest extends BlockDeviceContract {
    @TempDir
    private Path folder;

    private final Kind kind;

    Qcow2ContractTest(Kind kind) {
        this.kind = kind;
    }

    /** An image, and what of it is the device. */
    record Kind(Shape shape, Part part) {}

    /** The disk as it is only read, as it is written, as it is written compressed; or a snapshot. */
    enum Part {
        READ,
        WRITTEN,
        COMPRESSING,
        SNAPSHOT
    }

    static Stream<Kind> shapes() {
        return Stream.of(
                new Kind(Shape.of(2, 9, false, Compression.DEFLATE, 100_352), Part.READ),
                new Kind(Shape.of(3, 12, false, Compression.ZSTD, 1_000_448).over("raw", 600_001), Part.READ),
                new Kind(Shape.of(3, 14, true, Compression.DEFLATE, 1_000_448).over("raw", 1_100_000), Part.READ),
                new Kind(Shape.of(3, 16, true, Compression.NONE, 4_000_256), Part.READ),
                new Kind(Shape.of(3, 21, false, Compression.NONE, 9_000_448), Part.READ),
                new Kind(Shape.of(3, 12, false, Compression.DEFLATE, 512_512), Part.SNAPSHOT),
                new Kind(Shape.of(3, 12, false, Compression.NONE, 0), Part.READ),
                new Kind(Shape.of(2, 9, false, Compression.DEFLATE, 100_352), Part.WRITTEN),
                new Kind(Shape.of(3, 12, false, Compression.ZSTD, 1_000_448).over("raw", 600_001), Part.WRITTEN),
                new Kind(Shape.of(3, 14, true, Compression.DEFLATE, 1_000_448).over("raw", 1_100_000), Part.WRITTEN),
                new Kind(Shape.of(3, 21, false, Compression.NONE, 9_000_448), Part.WRITTEN),
                new Kind(Shape.of(2, 9, false, Compression.DEFLATE, 100_352), Part.COMPRESSING),
                new Kind(Shape.of(3, 12, false, Compression.ZSTD, 1_000_448).over("raw", 600_001), Part.COMPRESSING),
                new Kind(
                        Shape.of(3, 14, true, Compression.DEFLATE, 1_000_448).over("raw", 1_100_000), Part.COMPRESSING),
                new Kind(Shape.of(3, 16, false, Compression.NONE, 4_000_256), Part.COMPRESSING));
    }

    @Override
    protected DeviceFixture open() throws IOException {
        Shape shape = kind.shape();
        RandomImage made = new RandomImage(shape, Seed.random("contract " + shape));
        if (shape.backing() != null) {
            byte[] base = RandomImage.backing(shape.backingSize()).bytes(0, (int) shape.backingSize());
            Files.write(folder.resolve(made.backingName()), base);
        }
        if (kind.part() == Part.SNAPSHOT) {
            made.builder().snapshot("1", "before", shape.size());
            for (long cluster = 0; cluster < shape.size() >>> shape.clusterBits(); cluster++) {
                made.builder().unmap(cluster);
            }
        }
        Path file = Files.write(folder.resolve("test.qcow2"), made.builder().build());
        DiskImage image = DiskImages.open(
                file,
                OpenOptions.builder()
                        .references(ReferencePolicy.under(folder))
                        .cacheBytes(1 << 20)
                        .writable(kind.part() == Part.WRITTEN || kind.part() == Part.COMPRESSING)
                        .build());
        DeviceFixture fixture = switch (kind.part()) {
            case READ -> DeviceFixture.readOnly(image, made.contents());
            case WRITTEN -> DeviceFixture.writable(image, made.contents());
            case COMPRESSING ->
                DeviceFixture.writable(((Qcow2Disk) image).compressing(), made.contents())
                        .closing(image);
            case SNAPSHOT ->
                DeviceFixture.readOnly(image.openSnapshot("1"), made.contents()).closing(image);
        };
        // clusters of zeros are read without the file
        return fixture.withoutIo();
    }
}
