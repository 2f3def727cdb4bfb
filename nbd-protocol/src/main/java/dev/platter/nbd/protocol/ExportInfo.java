package dev.platter.nbd.protocol;

import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;

/**
 * The data of {@link OptionReplies#INFO}: one piece of information about an export; section "Information types".
 */
public sealed interface ExportInfo {

    /**
     * Size and flags.
     *
     * @param size bytes, 0 to 2^63-1
     * @param flags sum of {@link TransmissionFlags}
     */
    record Export(long size, int flags) implements ExportInfo {
        @Override
        public byte[] bytes() {
            return ByteBuffer.allocate(12)
                    .putShort((short) InfoTypes.EXPORT)
                    .putLong(size)
                    .putShort((short) flags)
                    .array();
        }
    }

    /** The canonical name of the export. */
    record Name(String name) implements ExportInfo {
        @Override
        public byte[] bytes() {
            return ExportInfo.text(InfoTypes.NAME, name);
        }
    }

    /** What a person is told of the export. */
    record Description(String text) implements ExportInfo {
        @Override
        public byte[] bytes() {
            return ExportInfo.text(InfoTypes.DESCRIPTION, text);
        }
    }

    /** How requests must lie. */
    record Sizes(BlockSizes sizes) implements ExportInfo {
        @Override
        public byte[] bytes() {
            return ByteBuffer.allocate(14)
                    .putShort((short) InfoTypes.BLOCK_SIZE)
                    .putInt((int) sizes.minimum())
                    .putInt((int) sizes.preferred())
                    .putInt((int) sizes.maximumPayload())
                    .array();
        }
    }

    /** A type that Platter does not know, and ignores as the document demands. */
    record Unknown(int type) implements ExportInfo {
        @Override
        public byte[] bytes() {
            return ByteBuffer.allocate(2).putShort((short) type).array();
        }
    }

    /** Returns the data of the reply. */
    byte[] bytes();

    /**
     * Takes a piece of information from a buffer that holds the data of the reply.
     *
     * @throws ProtocolException if a known type has a wrong length, a size is 2^63 or more, or block sizes contradict
     *     each other
     */
    static ExportInfo take(ByteBuffer data) throws ProtocolException {
        if (data.remaining() < 2) {
            throw new ProtocolException("information about an export of " + data.remaining() + " bytes has no type");
        }
        int type = Short.toUnsignedInt(data.getShort());
        switch (type) {
            case InfoTypes.EXPORT -> {
                needs(data, 10, "size and flags");
                return new Export(size(data.getLong()), Short.toUnsignedInt(data.getShort()));
            }
            case InfoTypes.NAME -> {
                return new Name(WireText.take(data, data.remaining(), "export name"));
            }
            case InfoTypes.DESCRIPTION -> {
                return new Description(WireText.take(data, data.remaining(), "description of an export"));
            }
            case InfoTypes.BLOCK_SIZE -> {
                needs(data, 12, "block sizes");
                BlockSizes sizes = new BlockSizes(
                        Integer.toUnsignedLong(data.getInt()),
                        Integer.toUnsignedLong(data.getInt()),
                        Integer.toUnsignedLong(data.getInt()));
                sizes.check();
                return new Sizes(sizes);
            }
            default -> {
                data.position(data.limit());
                return new Unknown(type);
            }
        }
    }

    /**
     * Returns a size as a server sent it.
     *
     * @throws ProtocolException if it is 2^63 or more
     */
    static long size(long size) throws ProtocolException {
        if (size < 0) {
            throw new ProtocolException("an export of " + Long.toUnsignedString(size)
                    + " bytes is larger than any disk can be (2^63-1 bytes)");
        }
        return size;
    }

    private static void needs(ByteBuffer data, int bytes, String what) throws ProtocolException {
        if (data.remaining() != bytes) {
            throw new ProtocolException(what + " of " + data.remaining() + " bytes where " + bytes + " are due");
        }
    }

    private static byte[] text(int type, String text) {
        byte[] bytes = text.getBytes(StandardCharsets.UTF_8);
        return ByteBuffer.allocate(2 + bytes.length)
                .putShort((short) type)
                .put(bytes)
                .array();
    }
}
