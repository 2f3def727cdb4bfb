package dev.platter.nbd.server;

import dev.platter.core.BlockDevice;
import dev.platter.core.Features;
import dev.platter.nbd.protocol.BlockSizes;
import dev.platter.nbd.protocol.TransmissionFlags;
import java.util.List;

/**
 * What client and server agreed on before the first request.
 *
 * @param export the export; its device is held
 * @param device its device
 * @param replies how reads are answered
 * @param contexts metadata contexts; their place in the list is their number
 */
record Agreement(OpenExport export, BlockDevice device, ReplyStyle replies, List<String> contexts) {

    /** How requests are answered. */
    enum ReplyStyle {
        SIMPLE,
        STRUCTURED,
        /** Requests have extended headers too. */
        EXTENDED
    }

    /**
     * Returns the transmission flags of a device.
     *
     * @param several whether more than one connection can have it at once: a client that is told so opens several, and
     *     waits for them
     */
    static int flags(BlockDevice device, ReplyStyle replies, boolean several) {
        Features features = device.features();
        int flags = TransmissionFlags.HAS_FLAGS
                | TransmissionFlags.SEND_FLUSH
                | TransmissionFlags.SEND_FUA
                | TransmissionFlags.SEND_CACHE;
        if (features.readOnly()) {
            flags |= TransmissionFlags.READ_ONLY;
        } else {
            flags |= TransmissionFlags.SEND_TRIM
                    | TransmissionFlags.SEND_WRITE_ZEROES
                    | TransmissionFlags.SEND_FAST_ZERO;
        }
        if (replies != ReplyStyle.SIMPLE) {
            flags |= TransmissionFlags.SEND_DF;
        }
        if (replies == ReplyStyle.EXTENDED) {
            flags |= TransmissionFlags.BLOCK_STATUS_PAYLOAD;
        }
        // All connections share one device, so a flush covers what any of them wrote.
        if (several && (features.readOnly() || features.flushCoversAllViews())) {
            flags |= TransmissionFlags.CAN_MULTI_CONN;
        }
        return flags;
    }

    /** Returns how requests to a device must lie. */
    static BlockSizes blockSizes(BlockDevice device, int maximumPayload) {
        Features features = device.features();
        int minimum = Math.min(65536, Integer.highestOneBit(features.minimumTransfer()));
        int preferred = Math.max(4096, Integer.highestOneBit(features.preferredTransfer()));
        return new BlockSizes(minimum, Math.max(preferred, minimum), maximumPayload & -minimum);
    }

    boolean isStructured() {
        return replies != ReplyStyle.SIMPLE;
    }

    boolean isExtended() {
        return replies == ReplyStyle.EXTENDED;
    }
}
