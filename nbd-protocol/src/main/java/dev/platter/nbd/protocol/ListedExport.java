package dev.platter.nbd.protocol;

import java.nio.ByteBuffer;

/**
 * The data of {@link OptionReplies#SERVER}: an export that a server lists.
 *
 * @param name its name
 * @param description what a person is told of it; empty if nothing
 */
public record ListedExport(String name, String description) {

    /**
     * Takes an export from a buffer that holds the data of the reply.
     *
     * @throws ProtocolException if it is none
     */
    public static ListedExport take(ByteBuffer data) throws ProtocolException {
        if (data.remaining() < 4) {
            throw new ProtocolException(data.remaining() + " bytes of data, where an export should be");
        }
        String name = WireText.take(data, data.getInt(), "export name");
        return new ListedExport(name, WireText.take(data, data.remaining(), "description of an export"));
    }

    /** Returns the data of the reply. */
    public byte[] bytes() {
        byte[] nameBytes = WireText.bytes(name);
        byte[] text = WireText.bytes(description);
        return ByteBuffer.allocate(4 + nameBytes.length + text.length)
                .putInt(nameBytes.length)
                .put(nameBytes)
                .put(text)
                .array();
    }
}
