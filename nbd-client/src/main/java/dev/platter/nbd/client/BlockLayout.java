package dev.platter.nbd.client;

import dev.platter.nbd.protocol.BlockSizes;

/**
 * How the requests to an export have to lie, as far as this client goes; section "Block size constraints".
 *
 * @param size bytes that can be reached, a multiple of {@code block}
 * @param block data are read and written in multiples of it: what the server demands; where it says nothing, 512 if the
 *     size is such a multiple, as qemu does
 * @param statusBlock block status is asked for multiples of it: what the server demands
 * @param preferred requests of multiples of it are served best; not more than {@code mostPayload}
 * @param mostPayload longest read or write, a multiple of {@code block}
 */
record BlockLayout(long size, int block, int statusBlock, int preferred, int mostPayload) {
    private static final int SECTOR = 512;

    /** Whatever a server takes, a request carries no more data than every server does. */
    private static final long MOST_PAYLOAD = 32 << 20;

    static BlockLayout of(ExportDetails details) {
        BlockSizes stated = details.blockSizes();
        BlockSizes sizes = stated == null ? BlockSizes.UNSTATED : stated;
        int demanded = (int) sizes.minimum();
        int block = stated == null && details.size() % SECTOR == 0 ? SECTOR : demanded;
        long most = Math.min(MOST_PAYLOAD, sizes.maximumPayload());
        int mostPayload = (int) Math.max(block, most - most % block);
        return new BlockLayout(
                details.size() - details.size() % demanded,
                block,
                demanded,
                (int) Math.min(mostPayload, Math.max(block, sizes.preferred())),
                mostPayload);
    }

    /** Returns whether a range consists of whole blocks. */
    boolean isWhole(long offset, long length) {
        return offset % block == 0 && length % block == 0;
    }

    /** Returns where the block begins that an offset lies in. */
    long roundDown(long offset) {
        return offset - offset % block;
    }

    /** Returns the offset itself, or where the next block begins; not more than the size. */
    long roundUp(long offset) {
        return roundUp(offset, block);
    }

    static long roundUp(long offset, int block) {
        return offset + (block - offset % block) % block;
    }
}
