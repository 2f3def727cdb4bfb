package dev.platter.nbd.protocol;

import java.nio.ByteBuffer;

/**
 * The data of {@link OptionReplies#META_CONTEXT}: a context, and the number by which block status knows it.
 *
 * @param id the number; only meaningful in answers to {@link Options#SET_META_CONTEXT}, 0 in lists
 * @param name the context: {@code base:allocation}
 */
public record MetaContext(int id, String name) {

    /**
     * Takes a context from a buffer that holds the data of the reply.
     *
     * @throws ProtocolException if it is none
     */
    public static MetaContext take(ByteBuffer data) throws ProtocolException {
        if (data.remaining() < 4) {
            throw new ProtocolException(data.remaining() + " bytes of data, where a metadata context should be");
        }
        return new MetaContext(data.getInt(), WireText.take(data, data.remaining(), "name of a metadata context"));
    }

    /** Returns the data of the reply. */
    public byte[] bytes() {
        byte[] text = WireText.bytes(name);
        return ByteBuffer.allocate(4 + text.length).putInt(id).put(text).array();
    }
}
