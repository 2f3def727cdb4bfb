package dev.platter.qcow2;

import java.lang.invoke.MethodHandles;
import java.lang.invoke.VarHandle;
import java.nio.ByteOrder;
import java.util.Arrays;

/** Collects literals and matches, and writes them as blocks of raw deflate, each in the shortest form. Source: RFC 1951. */
final class DeflateBlocks {
    /** Bytes that the output has behind its limit: it is written in words. */
    static final int SLACK = 16;

    private static final VarHandle LONG = MethodHandles.byteArrayViewVarHandle(long[].class, ByteOrder.LITTLE_ENDIAN)
            .withInvokeExactBehavior();

    private static final int MAX_TOKENS = 1 << 13;

    /** Tokens that may come before the block is asked again whether it is full. */
    private static final int MORE_TOKENS = 300;

    private static final int LITERALS = 286;
    private static final int FIRST_LENGTH = 257;
    private static final int END_OF_BLOCK = 256;
    private static final int DISTANCES = 30;
    private static final int MAX_STORED = 65535;
    private static final int BLOCK_HEADER_BITS = 3;
    private static final int TABLE_SIZES_BITS = 14;
    private static final int REPEAT = 16;
    private static final int ZEROS_SHORT = 17;
    private static final int ZEROS_LONG = 18;

    /** The order in which the lengths of the codes for code lengths are sent. */
    private static final int[] ORDER = {16, 17, 18, 0, 8, 7, 9, 6, 10, 5, 11, 4, 12, 3, 13, 2, 14, 1, 15};

    private static final int[] ORDER_EXTRA = {2, 3, 7};
    private static final int[] LENGTH_BASE = new int[29];
    private static final byte[] LENGTH_EXTRA = new byte[29];
    private static final byte[] LENGTH_CODE = new byte[259];
    private static final int[] DISTANCE_BASE = new int[DISTANCES];
    private static final byte[] DISTANCE_EXTRA = new byte[DISTANCES];

    /** By distance - 1 up to 256, then by what its upper bits are. */
    private static final byte[] DISTANCE_CODE = new byte[512];

    private static final HuffmanCode FIXED_LITERALS = new HuffmanCode(288, 15);
    private static final HuffmanCode FIXED_DISTANCES = new HuffmanCode(DISTANCES + 2, 15);

    static {
        int length = 3;
        for (int code = 0; code < 28; code++) {
            LENGTH_EXTRA[code] = (byte) Math.max(0, code / 4 - 1);
            LENGTH_BASE[code] = length;
            for (int i = 0; i < 1 << LENGTH_EXTRA[code]; i++) {
                LENGTH_CODE[Math.min(length++, 258)] = (byte) code;
            }
        }
        LENGTH_BASE[28] = 258;
        LENGTH_CODE[258] = 28;
        int distance = 1;
        for (int code = 0; code < DISTANCES; code++) {
            DISTANCE_EXTRA[code] = (byte) Math.max(0, code / 2 - 1);
            DISTANCE_BASE[code] = distance;
            for (int i = 0; i < 1 << DISTANCE_EXTRA[code]; i++, distance++) {
                DISTANCE_CODE[distance <= 256 ? distance - 1 : 256 + ((distance - 1) >>> 7)] = (byte) code;
            }
        }
        byte[] lengths = new byte[288];
        Arrays.fill(lengths, 0, 144, (byte) 8);
        Arrays.fill(lengths, 144, 256, (byte) 9);
        Arrays.fill(lengths, 256, 280, (byte) 7);
        Arrays.fill(lengths, 280, 288, (byte) 8);
        FIXED_LITERALS.setLengths(lengths);
        Arrays.fill(lengths, (byte) 5);
        FIXED_DISTANCES.setLengths(lengths);
    }

    private final HuffmanCode literals = new HuffmanCode(LITERALS, 15);
    private final HuffmanCode distances = new HuffmanCode(DISTANCES, 15);
    private final HuffmanCode codeLengths = new HuffmanCode(19, 7);

    /** Literals as they are; matches with their length in the upper half and their distance in the lower. */
    private final int[] tokens = new int[MAX_TOKENS + MORE_TOKENS];

    private int tokenCount;

    /** Lengths of the codes of a block, as symbols with what follows them in the upper half. */
    private final int[] tableTokens = new int[LITERALS + DISTANCES];

    private final byte[] tableLengths = new byte[LITERALS + DISTANCES];
    private int tableTokenCount;

    private byte[] in = {};
    private byte[] out = {};
    private int limit;
    private int blockStart;
    private int position;
    private long bits;
    private int bitCount;

    void begin(byte[] input, byte[] output, int outputLimit) {
        in = input;
        out = output;
        limit = outputLimit;
        blockStart = 0;
        position = 0;
        bits = 0;
        bitCount = 0;
        startBlock();
    }

    private void startBlock() {
        tokenCount = 0;
        Arrays.fill(literals.counts, 0);
        Arrays.fill(distances.counts, 0);
        literals.counts[END_OF_BLOCK] = 1;
    }

    void literal(byte value) {
        int symbol = value & 0xff;
        tokens[tokenCount++] = symbol;
        literals.counts[symbol]++;
    }

    void match(int length, int distance) {
        tokens[tokenCount++] = length << 16 | distance;
        literals.counts[FIRST_LENGTH + LENGTH_CODE[length]]++;
        distances.counts[distanceCode(distance)]++;
    }

    private static int distanceCode(int distance) {
        return DISTANCE_CODE[distance <= 256 ? distance - 1 : 256 + ((distance - 1) >>> 7)];
    }

    /** Returns whether the block should be written before more comes. */
    boolean isFull() {
        return tokenCount >= MAX_TOKENS;
    }

    /** Writes the last block; returns whether all fits. */
    boolean end(int inputEnd) {
        if (!write(inputEnd, true)) {
            return false;
        }
        LONG.set(out, position, bits);
        position += (bitCount + 7) >>> 3;
        return position <= limit;
    }

    /** Returns how many bytes the stream has that ended. */
    int length() {
        return position;
    }

    /** Writes a block; returns false if it goes beyond the limit. */
    boolean write(int inputEnd, boolean last) {
        literals.build();
        distances.build();
        int literalCodes = literals.used(FIRST_LENGTH);
        int distanceCodes = distances.used(1);
        describeTables(literalCodes, distanceCodes);
        int lengthCodes = ORDER.length;
        while (lengthCodes > 4 && codeLengths.lengths[ORDER[lengthCodes - 1]] == 0) {
            lengthCodes--;
        }
        long ownCost = cost(literals, distances) + tableCost(lengthCodes);
        long fixedCost = cost(FIXED_LITERALS, FIXED_DISTANCES);
        int plain = inputEnd - blockStart;
        // each piece has a length, and its complement, and begins with a whole byte
        long storedCost = 8L * plain + (40L + BLOCK_HEADER_BITS) * (1 + plain / MAX_STORED);
        long cost = Math.min(storedCost, Math.min(ownCost, fixedCost));
        if (8L * position + bitCount + BLOCK_HEADER_BITS + cost > 8L * limit) {
            return false;
        }
        if (cost == storedCost) {
            store(inputEnd, last);
        } else if (cost == fixedCost) {
            put((last ? 1 : 0) | 1 << 1, BLOCK_HEADER_BITS);
            putTokens(FIXED_LITERALS, FIXED_DISTANCES);
        } else {
            put((last ? 1 : 0) | 2 << 1, BLOCK_HEADER_BITS);
            putTables(literalCodes, distanceCodes, lengthCodes);
            putTokens(literals, distances);
        }
        blockStart = inputEnd;
        startBlock();
        return true;
    }

    /** Returns the bits of all tokens in a code. */
    private long cost(HuffmanCode literalCode, HuffmanCode distanceCode) {
        long cost = 0;
        for (int i = 0; i < FIRST_LENGTH; i++) {
            cost += (long) literals.counts[i] * literalCode.lengths[i];
        }
        for (int i = FIRST_LENGTH; i < LITERALS; i++) {
            cost += (long) literals.counts[i] * (literalCode.lengths[i] + LENGTH_EXTRA[i - FIRST_LENGTH]);
        }
        for (int i = 0; i < DISTANCES; i++) {
            cost += (long) distances.counts[i] * (distanceCode.lengths[i] + DISTANCE_EXTRA[i]);
        }
        return cost;
    }

    private long tableCost(int lengthCodes) {
        long cost = TABLE_SIZES_BITS + 3L * lengthCodes;
        for (int i = 0; i < codeLengths.counts.length; i++) {
            int extra = i < REPEAT ? 0 : ORDER_EXTRA[i - REPEAT];
            cost += (long) codeLengths.counts[i] * (codeLengths.lengths[i] + extra);
        }
        return cost;
    }

    /** Makes symbols of the lengths of both codes, runs of one length together. */
    private void describeTables(int literalCodes, int distanceCodes) {
        System.arraycopy(literals.lengths, 0, tableLengths, 0, literalCodes);
        System.arraycopy(distances.lengths, 0, tableLengths, literalCodes, distanceCodes);
        int end = literalCodes + distanceCodes;
        tableTokenCount = 0;
        Arrays.fill(codeLengths.counts, 0);
        for (int i = 0; i < end; ) {
            byte length = tableLengths[i];
            int stop = i + 1;
            while (stop < end && tableLengths[stop] == length) {
                stop++;
            }
            if (length == 0) {
                for (; stop - i >= 11; i += Math.min(138, stop - i)) {
                    describe(ZEROS_LONG, Math.min(138, stop - i) - 11);
                }
                if (stop - i >= 3) {
                    describe(ZEROS_SHORT, stop - i - 3);
                    i = stop;
                }
            } else {
                describe(length, 0);
                i++;
                for (; stop - i >= 3; i += Math.min(6, stop - i)) {
                    describe(REPEAT, Math.min(6, stop - i) - 3);
                }
            }
            for (; i < stop; i++) {
                describe(length, 0);
            }
        }
        codeLengths.build();
    }

    private void describe(int symbol, int extra) {
        tableTokens[tableTokenCount++] = symbol | extra << 16;
        codeLengths.counts[symbol]++;
    }

    private void putTables(int literalCodes, int distanceCodes, int lengthCodes) {
        put((literalCodes - FIRST_LENGTH) | ((distanceCodes - 1) << 5) | ((lengthCodes - 4) << 10), TABLE_SIZES_BITS);
        for (int i = 0; i < lengthCodes; i++) {
            put(codeLengths.lengths[ORDER[i]], 3);
        }
        for (int i = 0; i < tableTokenCount; i++) {
            int symbol = tableTokens[i] & 0xffff;
            put(codeLengths.codes[symbol], codeLengths.lengths[symbol]);
            if (symbol >= REPEAT) {
                put(tableTokens[i] >>> 16, ORDER_EXTRA[symbol - REPEAT]);
            }
        }
    }

    private void put(int value, int count) {
        bits |= (long) value << bitCount;
        bitCount += count;
        if (bitCount >= 16) {
            LONG.set(out, position, bits);
            position += bitCount >>> 3;
            bits >>>= bitCount & -8;
            bitCount &= 7;
        }
    }

    private void putTokens(HuffmanCode literalCode, HuffmanCode distanceCode) {
        byte[] target = out;
        int[] literalCodes = literalCode.codes;
        byte[] literalLengths = literalCode.lengths;
        int at = position;
        long word = bits;
        int count = bitCount;
        for (int i = 0; i < tokenCount; i++) {
            int token = tokens[i];
            if (token < 256) {
                word |= (long) literalCodes[token] << count;
                count += literalLengths[token];
            } else {
                int length = token >>> 16;
                int code = LENGTH_CODE[length];
                word |= (long) literalCodes[FIRST_LENGTH + code] << count;
                count += literalLengths[FIRST_LENGTH + code];
                word |= (long) (length - LENGTH_BASE[code]) << count;
                count += LENGTH_EXTRA[code];
                int distance = token & 0xffff;
                code = distanceCode(distance);
                word |= (long) distanceCode.codes[code] << count;
                count += distanceCode.lengths[code];
                word |= (long) (distance - DISTANCE_BASE[code]) << count;
                count += DISTANCE_EXTRA[code];
            }
            // a match takes 48 bits at most
            if (count >= 16) {
                LONG.set(target, at, word);
                at += count >>> 3;
                word >>>= count & -8;
                count &= 7;
            }
        }
        position = at;
        bits = word;
        bitCount = count;
        put(literalCodes[END_OF_BLOCK], literalLengths[END_OF_BLOCK]);
    }

    /** Writes the bytes of the input as they are. */
    private void store(int inputEnd, boolean last) {
        int from = blockStart;
        do {
            int length = Math.min(MAX_STORED, inputEnd - from);
            put(last && from + length == inputEnd ? 1 : 0, BLOCK_HEADER_BITS);
            LONG.set(out, position, bits);
            position += (bitCount + 7) >>> 3;
            bits = 0;
            bitCount = 0;
            put(length, 16);
            put(~length & 0xffff, 16);
            System.arraycopy(in, from, out, position, length);
            position += length;
            from += length;
        } while (from < inputEnd);
    }
}
