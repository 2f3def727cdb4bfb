package dev.platter.qcow2;

import static org.assertj.core.api.Assertions.assertThat;

import dev.platter.testkit.ReferenceTools;
import dev.platter.testkit.Seeds;
import java.io.ByteArrayOutputStream;
import java.io.DataOutputStream;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Random;
import java.util.zip.DataFormatException;
import java.util.zip.Inflater;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

final class ShortWindowDeflaterTest {
    private static final int WINDOW = 4096;

    /** Reads streams and what they have to become, with a window of 4 KiB as qemu asks for one. */
    private static final String STRICT_READER = """
            import struct, sys, zlib
            with open(sys.argv[1], 'rb') as pairs:
                count = 0
                while True:
                    size = pairs.read(4)
                    if not size:
                        break
                    stream = pairs.read(struct.unpack('>i', size)[0])
                    plain = pairs.read(struct.unpack('>i', pairs.read(4))[0])
                    reader = zlib.decompressobj(-12)
                    found = b''
                    for at in range(0, len(stream), 100):
                        found += reader.decompress(stream[at:at + 100])
                    found += reader.flush()
                    if found != plain or not reader.eof:
                        sys.exit('stream %d is another' % count)
                    count += 1
            print(count)
            """;

    @TempDir
    private Path folder;

    @Test
    void everyStreamBecomesItsInputAgainAndNoMatchLeavesTheWindow() throws Exception {
        Seeds.run(getClass(), 20, random -> {
            ShortWindowDeflater deflater = new ShortWindowDeflater();
            for (int i = 0; i < 6; i++) {
                byte[] plain = sample(random);
                byte[] stream = deflate(deflater, plain, 2 * plain.length + 1000);

                assertThat(inflate(stream, plain.length)).isEqualTo(plain);
                assertThat(new Probe(stream).farthest(plain.length)).isLessThanOrEqualTo(WINDOW);
            }
        });
    }

    @Test
    void streamThatWouldBeTooLongIsNone() {
        Random random = new Random(1);
        ShortWindowDeflater deflater = new ShortWindowDeflater();
        for (int i = 0; i < 50; i++) {
            byte[] plain = sample(random);
            byte[] whole = deflate(deflater, plain, 2 * plain.length + 1000);

            assertThat(deflate(deflater, plain, whole.length - 1)).isEmpty();
            assertThat(deflate(deflater, plain, whole.length + 100)).isEqualTo(whole);
        }
    }

    @Test
    void onlyWhatCannotBeCompressedBecomesLarger() {
        byte[] noise = new byte[200_000];
        new Random(7).nextBytes(noise);
        byte[] zeros = new byte[1 << 16];
        ShortWindowDeflater deflater = new ShortWindowDeflater();

        assertThat(deflate(deflater, noise, noise.length - 1)).isEmpty();
        assertThat(deflate(deflater, noise, 2 * noise.length)).hasSizeBetween(noise.length, noise.length + 200);
        assertThat(deflate(deflater, zeros, zeros.length)).hasSizeLessThan(100);
    }

    @Test
    void positionsOfManyInputsDoNotMeet() throws Exception {
        ShortWindowDeflater deflater = new ShortWindowDeflater();
        byte[] text = "the same again and again; ".repeat(40).getBytes(StandardCharsets.US_ASCII);
        byte[] first = deflate(deflater, text, text.length);
        for (int i = 0; i < 1000; i++) {
            assertThat(deflate(deflater, text, text.length)).isEqualTo(first);
        }
        assertThat(inflate(first, text.length)).isEqualTo(text);
    }

    @Test
    void readersWithAWindowOf4KibReadOurStreams() throws Exception {
        ReferenceTools.assumeTool("python3");
        Path pairs = folder.resolve("pairs");
        int count = 100;
        try (DataOutputStream out = new DataOutputStream(Files.newOutputStream(pairs))) {
            Random random = new Random(12);
            ShortWindowDeflater deflater = new ShortWindowDeflater();
            for (int i = 0; i < count; i++) {
                byte[] plain = sample(random);
                byte[] stream = deflate(deflater, plain, 2 * plain.length + 1000);
                out.writeInt(stream.length);
                out.write(stream);
                out.writeInt(plain.length);
                out.write(plain);
            }
        }

        String read = ReferenceTools.runOk("python3", "-c", STRICT_READER, pairs.toString())
                .stdout();

        assertThat(read.strip()).isEqualTo(Integer.toString(count));
    }

    /** Bytes of some kind: noise, text, repetitions near and far, few symbols, runs, and all of them one after another. */
    static byte[] sample(Random random) {
        int size = 1 << (9 + random.nextInt(10));
        ByteArrayOutputStream out = new ByteArrayOutputStream();
        while (out.size() < size) {
            byte[] part = new byte[1 + random.nextInt(size)];
            switch (random.nextInt(6)) {
                case 0 -> random.nextBytes(part);
                case 1 -> Arrays.fill(part, (byte) random.nextInt());
                case 2 -> {
                    int symbols = 1 + random.nextInt(40);
                    for (int i = 0; i < part.length; i++) {
                        part[i] = (byte) ('a' + (int) (symbols * random.nextDouble() * random.nextDouble()));
                    }
                }
                case 3 -> {
                    int back = 1 + random.nextInt(6000);
                    random.nextBytes(part);
                    for (int i = back; i < part.length; i++) {
                        part[i] = random.nextInt(50) == 0 ? part[i] : part[i - back];
                    }
                }
                case 4 -> {
                    for (int i = 0; i < part.length; i++) {
                        part[i] = (byte) (i >>> random.nextInt(5));
                    }
                }
                default -> {
                    // powers of two make codes of all lengths
                    for (int i = 0; i < part.length; i++) {
                        part[i] = (byte) Long.numberOfTrailingZeros(random.nextLong() | 1L << 30);
                    }
                }
            }
            out.writeBytes(part);
        }
        return Arrays.copyOf(out.toByteArray(), size);
    }

    private static byte[] deflate(ShortWindowDeflater deflater, byte[] plain, int limit) {
        byte[] out = new byte[limit + ShortWindowDeflater.SLACK];
        return Arrays.copyOf(out, deflater.deflate(plain, out, limit));
    }

    private static byte[] inflate(byte[] stream, int length) throws DataFormatException {
        Inflater inflater = new Inflater(true);
        try {
            inflater.setInput(stream);
            byte[] plain = new byte[length + 1];
            int read = inflater.inflate(plain);
            assertThat(inflater.finished()).isTrue();
            assertThat(inflater.getRemaining()).isZero();
            return Arrays.copyOf(plain, read);
        } finally {
            inflater.end();
        }
    }

    /** Goes through a stream of raw deflate and notes how far its matches reach back. Source: RFC 1951. */
    private static final class Probe {
        private static final int[] ORDER = {16, 17, 18, 0, 8, 7, 9, 6, 10, 5, 11, 4, 12, 3, 13, 2, 14, 1, 15};

        private final byte[] stream;
        private int bit;

        Probe(byte[] stream) {
            this.stream = stream;
        }

        int farthest(int length) throws IOException {
            int farthest = 0;
            int made = 0;
            boolean last = false;
            while (!last) {
                last = bits(1) == 1;
                int type = bits(2);
                if (type == 0) {
                    bit = (bit + 7) & -8;
                    int plain = bits(16);
                    assertThat(bits(16)).isEqualTo(~plain & 0xffff);
                    bit += 8 * plain;
                    made += plain;
                    continue;
                }
                int[][] codes = type == 1 ? fixed() : tables();
                for (int symbol = symbol(codes[0]); symbol != 256; symbol = symbol(codes[0])) {
                    if (symbol < 256) {
                        made++;
                        continue;
                    }
                    int code = symbol - 257;
                    int extra = code < 8 || code == 28 ? 0 : code / 4 - 1;
                    made += code == 28 ? 258 : code < 8 ? code + 3 : ((4 + code % 4) << extra) + 3 + bits(extra);
                    int distance = symbol(codes[1]);
                    extra = Math.max(0, distance / 2 - 1);
                    distance = distance < 4 ? distance + 1 : ((2 + distance % 2) << extra) + 1 + bits(extra);
                    farthest = Math.max(farthest, distance);
                }
            }
            assertThat(made).isEqualTo(length);
            return farthest;
        }

        private int[][] tables() throws IOException {
            int literals = bits(5) + 257;
            int distances = bits(5) + 1;
            int count = bits(4) + 4;
            int[] lengths = new int[19];
            for (int i = 0; i < count; i++) {
                lengths[ORDER[i]] = bits(3);
            }
            int[] codeLengths = lengths;
            List<Integer> all = new ArrayList<>();
            while (all.size() < literals + distances) {
                int symbol = symbol(codeLengths);
                int value = symbol < 16 ? symbol : symbol == 16 ? all.get(all.size() - 1) : 0;
                int times = symbol < 16 ? 1 : symbol == 16 ? 3 + bits(2) : symbol == 17 ? 3 + bits(3) : 11 + bits(7);
                for (int i = 0; i < times; i++) {
                    all.add(value);
                }
            }
            assertThat(all).hasSize(literals + distances);
            int[] both = all.stream().mapToInt(Integer::intValue).toArray();
            return new int[][] {Arrays.copyOf(both, literals), Arrays.copyOfRange(both, literals, literals + distances)
            };
        }

        private static int[][] fixed() {
            int[] literals = new int[288];
            Arrays.fill(literals, 0, 144, 8);
            Arrays.fill(literals, 144, 256, 9);
            Arrays.fill(literals, 256, 280, 7);
            Arrays.fill(literals, 280, 288, 8);
            int[] distances = new int[30];
            Arrays.fill(distances, 5);
            return new int[][] {literals, distances};
        }

        /** Reads a symbol of the code with these lengths: the slow way, length by length. */
        private int symbol(int[] lengths) throws IOException {
            int code = 0;
            int first = 0;
            for (int length = 1; length <= 15; length++) {
                code |= bits(1);
                int here = 0;
                for (int one : lengths) {
                    here += one == length ? 1 : 0;
                }
                if (code - first < here) {
                    int index = code - first;
                    for (int symbol = 0; ; symbol++) {
                        if (lengths[symbol] == length && index-- == 0) {
                            return symbol;
                        }
                    }
                }
                first = (first + here) << 1;
                code <<= 1;
            }
            throw new IOException("no symbol at bit " + bit);
        }

        private int bits(int count) {
            int value = 0;
            for (int i = 0; i < count; i++, bit++) {
                value |= ((stream[bit >>> 3] >>> (bit & 7)) & 1) << i;
            }
            return value;
        }
    }
}
