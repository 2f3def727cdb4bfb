package dev.platter.nbd.protocol;

/**
 * How requests to an export must lie; section "Block size constraints".
 *
 * @param minimum offsets and lengths are multiples of it: a power of two, 1 to 65536
 * @param preferred requests of multiples of it are served best: a power of two, 512 or more
 * @param maximumPayload longest read or write: a multiple of {@code minimum}, or 2^32-1 for "any"
 */
public record BlockSizes(long minimum, long preferred, long maximumPayload) {
    /** What holds for a server that says nothing. */
    public static final BlockSizes UNSTATED = new BlockSizes(1, 4096, 32 << 20);

    /**
     * Checks what a server said.
     *
     * @throws ProtocolException if the three contradict the document or each other
     */
    public void check() throws ProtocolException {
        if (!isPowerOfTwo(minimum) || minimum > 65536) {
            throw new ProtocolException("minimum block size " + minimum + " is no power of two from 1 to 65536");
        }
        if (!isPowerOfTwo(preferred) || preferred < Math.max(512, minimum)) {
            throw new ProtocolException(
                    "preferred block size " + preferred + " is no power of two from " + Math.max(512, minimum));
        }
        if (maximumPayload < minimum || (maximumPayload != 0xffff_ffffL && maximumPayload % minimum != 0)) {
            throw new ProtocolException(
                    "maximum block size " + maximumPayload + " is no multiple of the minimum, " + minimum);
        }
    }

    private static boolean isPowerOfTwo(long number) {
        return Long.bitCount(number) == 1;
    }
}
