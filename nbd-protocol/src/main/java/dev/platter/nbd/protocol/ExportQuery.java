package dev.platter.nbd.protocol;

import java.nio.ByteBuffer;
import java.util.Arrays;

/**
 * The data of {@link Options#INFO} and {@link Options#GO}: an export, and what the client wants to know of it.
 *
 * @param name name of the export; the empty one is the default export
 * @param infoTypes numbers of {@link InfoTypes}, known or not, repeated or not
 */
@SuppressWarnings("ArrayRecordComponent") // Never given out unguarded, see infoTypes() and equals.
public record ExportQuery(String name, int... infoTypes) {

    /** Makes a query. */
    public ExportQuery(String name, int... infoTypes) {
        this.name = name;
        this.infoTypes = infoTypes.clone();
    }

    /**
     * Takes a query from a buffer that holds the data of the option, and nothing else.
     *
     * @throws ProtocolException if the lengths in it do not add up, or the name is none; what follows is unharmed
     */
    public static ExportQuery take(ByteBuffer data) throws ProtocolException {
        if (data.remaining() < 6) {
            throw new ProtocolException(data.remaining() + " bytes of data, where a name and a list should be");
        }
        String name = WireText.take(data, data.getInt(), "export name");
        if (data.remaining() < 2) {
            throw new ProtocolException("no list behind the export name");
        }
        int count = Short.toUnsignedInt(data.getShort());
        if (data.remaining() != 2 * count) {
            throw new ProtocolException(
                    count + " information requests announced, and " + data.remaining() + " bytes follow");
        }
        int[] types = new int[count];
        for (int i = 0; i < count; i++) {
            types[i] = Short.toUnsignedInt(data.getShort());
        }
        return new ExportQuery(name, types);
    }

    /** Returns the data of the option. */
    public byte[] bytes() {
        byte[] text = WireText.bytes(name);
        ByteBuffer out = ByteBuffer.allocate(6 + text.length + 2 * infoTypes.length);
        out.putInt(text.length).put(text).putShort((short) infoTypes.length);
        for (int type : infoTypes) {
            out.putShort((short) type);
        }
        return out.array();
    }

    @Override
    public int[] infoTypes() {
        return infoTypes.clone();
    }

    /** Returns whether a type of information is asked for. */
    public boolean wants(int infoType) {
        return Arrays.stream(infoTypes).anyMatch(type -> type == infoType);
    }

    @Override
    public boolean equals(Object other) {
        return other instanceof ExportQuery query
                && name.equals(query.name)
                && Arrays.equals(infoTypes, query.infoTypes);
    }

    @Override
    public int hashCode() {
        return 31 * name.hashCode() + Arrays.hashCode(infoTypes);
    }

    @Override
    public String toString() {
        return "ExportQuery[" + name + ", " + Arrays.toString(infoTypes) + "]";
    }
}
