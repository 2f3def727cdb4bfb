package dev.platter.qcow2;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import com.github.luben.zstd.Zstd;
import dev.platter.core.CorruptImageException;
import dev.platter.core.DiskImage;
import dev.platter.core.Extents;
import dev.platter.core.OpenOptions;
import dev.platter.core.OpenOptions.TruncatedFile;
import dev.platter.testkit.Contents;
import dev.platter.testkit.CountingAllocation;
import dev.platter.testkit.TestBytes;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.ClosedChannelException;
import java.util.Arrays;
import java.util.stream.Stream;
import java.util.zip.Deflater;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.MethodSource;
import org.junit.jupiter.params.provider.ValueSource;

final class CompressedClustersTest {
    private static final int CLUSTER = 4096;
    private static final byte[] PLAIN = TestBytes.of(0, CLUSTER);

    @Test
    void descriptorOfTheReferenceIsTakenApart() {
        assertThat(CompressedClusters.hostOffset(0x4c00_0000_0000_5fc0L, 12)).isEqualTo(0x5fc0);
        assertThat(CompressedClusters.hostLength(0x4c00_0000_0000_5fc0L, 12)).isEqualTo(1600);
        assertThat(CompressedClusters.hostOffset(0x42c0_0000_0005_0000L, 16)).isEqualTo(0x50000);
        assertThat(CompressedClusters.hostLength(0x42c0_0000_0005_0000L, 16)).isEqualTo(6144);
        assertThat(CompressedClusters.hostLength(0x7fff_ffff_ffff_fe00L, 21)).isEqualTo(4 << 20);
        assertThat(CompressedClusters.hostLength(0x7fff_ffff_ffff_ffffL, 9)).isEqualTo(513);
    }

    static Stream<Arguments> goodStreams() {
        byte[] zstd = Zstd.compress(PLAIN);
        return Stream.of(
                Arguments.of("deflate", false, Qcow2Builder.deflate(PLAIN)),
                Arguments.of("deflate with a window of 32 KiB", false, deflateWhole(PLAIN, true)),
                Arguments.of("deflate and rubbish", false, join(deflateWhole(PLAIN, true), new byte[] {1, 2, 3})),
                Arguments.of("deflate of more", false, deflateWhole(TestBytes.of(0, 2 * CLUSTER), true)),
                Arguments.of("zstd", true, zstd),
                Arguments.of("zstd and rubbish", true, join(zstd, new byte[] {1, 2, 3, 4, 5, 6, 7, 8})),
                Arguments.of(
                        "zstd in two frames",
                        true,
                        join(Zstd.compress(Arrays.copyOf(PLAIN, 1000)), Zstd.compress(from(PLAIN, 1000)))),
                Arguments.of("zstd behind empty frames", true, join(emptyFrames(20), zstd)));
    }

    @ParameterizedTest(name = "{0}")
    @MethodSource("goodStreams")
    void streamThatFillsTheClusterIsRead(String name, boolean zstd, byte[] stream) throws IOException {
        try (DiskImage image = image(zstd).compressed(0, stream).open()) {
            Contents.testBytes(CLUSTER).assertRead(image, 0, CLUSTER);
            Contents.testBytes(CLUSTER).assertRead(image, 17, 300);
            ByteBuffer direct =
                    ByteBuffer.allocateDirect(CLUSTER + 10).position(3).limit(3 + CLUSTER);
            image.read(0, direct);
            Contents.testBytes(CLUSTER).assertMatch(0, direct.position(3).slice(), "direct");
            assertThat(Extents.at(image, 0).compressed()).isTrue();
        }
    }

    static Stream<Arguments> badStreams() {
        byte[] zstd = Zstd.compress(PLAIN);
        byte[] deflate = Qcow2Builder.deflate(PLAIN);
        return Stream.of(
                Arguments.of("nothing", false, new byte[1]),
                Arguments.of("short deflate", false, deflateWhole(Arrays.copyOf(PLAIN, CLUSTER - 1), true)),
                Arguments.of("cut deflate", false, Arrays.copyOf(deflate, deflate.length / 2)),
                Arguments.of("deflate with a zlib header", false, deflateWhole(PLAIN, false)),
                Arguments.of("zstd as deflate", false, zstd),
                Arguments.of("deflate as zstd", true, deflate),
                Arguments.of("short zstd", true, Zstd.compress(Arrays.copyOf(PLAIN, CLUSTER - 1))),
                Arguments.of("zstd of more", true, Zstd.compress(TestBytes.of(0, CLUSTER + 1))),
                Arguments.of("bomb of zstd", true, Zstd.compress(new byte[64 << 20])),
                Arguments.of("window of 2 GiB", true, new byte[] {40, -75, 47, -3, 0, (byte) 0xa8, 1, 0, 0}),
                Arguments.of("empty frames only", true, emptyFrames(100)));
    }

    @ParameterizedTest(name = "{0}")
    @MethodSource("badStreams")
    void streamThatDoesNotFillTheClusterIsCorrupt(String name, boolean zstd, byte[] stream) throws Exception {
        try (DiskImage image = image(zstd).compressed(0, stream).data(1).open()) {
            long allocated = CountingAllocation.of(() -> {
                assertCorrupt(image, ByteBuffer.allocate(CLUSTER), "compressed cluster of guest offset 0 at 8192: ");
                assertCorrupt(image, ByteBuffer.allocateDirect(CLUSTER), "compressed cluster of guest offset 0");
            });

            assertThat(allocated).isLessThan(8 << 20);
            Contents.testBytes(2 * CLUSTER).assertRead(image, CLUSTER, CLUSTER);
        }
    }

    @Test
    void bombOfDeflateGivesTheFirstCluster() throws Exception {
        byte[] bomb = deflateWhole(new byte[16 << 20], true);
        byte[] start = Arrays.copyOf(bomb, 4096);

        try (DiskImage image = image(false).compressed(0, start).open()) {
            ByteBuffer into = ByteBuffer.allocate(CLUSTER);
            image.read(0, into);
            assertThat(into.array()).containsOnly(0);
        }
    }

    @ParameterizedTest
    @CsvSource({"20000000, 0", "36028797018963967, 0", "288230376151711743, 15"})
    void clusterBeyondTheFileIsTruncatedOrZeros(long at, long sectors) throws IOException {
        byte[] file = image(false)
                .entry(0, Qcow2Builder.compressedEntry(12, at, sectors), 0)
                .build();
        OpenOptions zeros =
                OpenOptions.builder().truncatedFile(TruncatedFile.ZEROS).build();

        try (DiskImage image = Qcow2Builder.open(file, OpenOptions.defaults())) {
            assertCorrupt(image, ByteBuffer.allocate(5), "compressed cluster at " + at);
        }
        try (DiskImage image = Qcow2Builder.open(file, zeros)) {
            Contents.zeros(CLUSTER).assertRead(image, 0, CLUSTER);
        }
    }

    @Test
    void lastSectorMayEndBehindTheFile() throws IOException {
        byte[] stream = Qcow2Builder.deflate(PLAIN);
        byte[] whole = image(false).entry(0, 0, 0).build();
        int at = whole.length;
        long sectors = ((at + stream.length - 1L) >>> 9) - (at >>> 9);
        byte[] file = image(false)
                .entry(0, Qcow2Builder.compressedEntry(12, at, sectors), 0)
                .build();
        byte[] grown = join(file, stream);

        try (DiskImage image = Qcow2Builder.open(grown, OpenOptions.defaults())) {
            Contents.testBytes(CLUSTER).assertRead(image, 0, CLUSTER);
        }
        try (DiskImage image =
                Qcow2Builder.open(Arrays.copyOf(grown, grown.length - stream.length / 2), OpenOptions.defaults())) {
            assertCorrupt(image, ByteBuffer.allocate(1), "compressed cluster");
        }
    }

    @ParameterizedTest
    @ValueSource(ints = {9, 16, 21})
    void manyClustersThroughACacheOfOneMebibyteStayRight(int clusterBits) throws IOException {
        int clusters = clusterBits == 21 ? 3 : 100;
        Qcow2Builder made = new Qcow2Builder(3, clusterBits, (long) clusters << clusterBits);
        for (int i = 0; i < clusters; i++) {
            made.compressed(i);
        }

        try (DiskImage image = Qcow2Builder.open(
                made.build(), OpenOptions.builder().cacheBytes(1 << 20).build())) {
            for (int round = 0; round < 2; round++) {
                for (long cluster = 0; cluster < clusters; cluster++) {
                    Contents.testBytes(image.size()).assertRead(image, (cluster << clusterBits) + 3, 200);
                }
            }
        }
    }

    @Test
    void decompressorsOfReadsUnderWayAreFreedAfterClose() throws IOException {
        DiskImage image = image(false).compressed(0).open();
        Contents.testBytes(CLUSTER).assertRead(image, 0, CLUSTER);

        image.close();
        image.close();

        assertThatThrownBy(() -> image.read(0, ByteBuffer.allocate(1))).isInstanceOf(ClosedChannelException.class);
    }

    private static Qcow2Builder image(boolean zstd) {
        Qcow2Builder made = new Qcow2Builder(3, 12, 2 * CLUSTER);
        return zstd ? made.zstd() : made;
    }

    private static void assertCorrupt(DiskImage image, ByteBuffer into, String part) {
        assertThatThrownBy(() -> image.read(0, into.clear()))
                .isInstanceOf(CorruptImageException.class)
                .hasMessageStartingWith("test.qcow2: ")
                .hasMessageContaining(part);
    }

    private static byte[] deflateWhole(byte[] plain, boolean raw) {
        Deflater deflater = new Deflater(6, raw);
        try {
            deflater.setInput(plain);
            deflater.finish();
            ByteArrayOutputStream out = new ByteArrayOutputStream();
            byte[] chunk = new byte[8192];
            while (!deflater.finished()) {
                out.write(chunk, 0, deflater.deflate(chunk));
            }
            return out.toByteArray();
        } finally {
            deflater.end();
        }
    }

    private static byte[] emptyFrames(int count) {
        byte[] one = Zstd.compress(new byte[0]);
        byte[] all = new byte[0];
        for (int i = 0; i < count; i++) {
            all = join(all, one);
        }
        return all;
    }

    private static byte[] join(byte[] first, byte[] second) {
        byte[] both = Arrays.copyOf(first, first.length + second.length);
        System.arraycopy(second, 0, both, first.length, second.length);
        return both;
    }

    private static byte[] from(byte[] bytes, int start) {
        return Arrays.copyOfRange(bytes, start, bytes.length);
    }
}
