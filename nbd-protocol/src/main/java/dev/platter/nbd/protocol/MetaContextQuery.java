package dev.platter.nbd.protocol;

import java.io.ByteArrayOutputStream;
import java.io.DataOutputStream;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.List;

/**
 * The data of {@link Options#LIST_META_CONTEXT} and {@link Options#SET_META_CONTEXT}: an export, and the contexts that
 * are meant. No query means all of them to LIST and none to SET.
 *
 * @param name name of the export
 * @param queries contexts, or to LIST also beginnings of them; see {@link MetaContexts#matches}
 */
public record MetaContextQuery(String name, List<String> queries) {

    /** Makes a query. */
    public MetaContextQuery {
        queries = List.copyOf(queries);
    }

    /**
     * Takes a query from a buffer that holds the data of the option. Bytes behind the last query are ignored, as other
     * servers do.
     *
     * @throws ProtocolException if the lengths in it do not add up, or a text is none; what follows is unharmed
     */
    public static MetaContextQuery take(ByteBuffer data) throws ProtocolException {
        if (data.remaining() < 8) {
            throw new ProtocolException(data.remaining() + " bytes of data, where a name and a list should be");
        }
        String name = WireText.take(data, data.getInt(), "export name");
        if (data.remaining() < 4) {
            throw new ProtocolException("no list behind the export name");
        }
        long count = Integer.toUnsignedLong(data.getInt());
        if (count > data.remaining() / 4) {
            throw new ProtocolException(count + " queries announced, and " + data.remaining() + " bytes follow");
        }
        List<String> queries = new ArrayList<>();
        for (long i = 0; i < count; i++) {
            if (data.remaining() < 4) {
                throw new ProtocolException(count + " queries announced, and " + i + " follow");
            }
            queries.add(WireText.take(data, data.getInt(), "query of a metadata context"));
        }
        return new MetaContextQuery(name, queries);
    }

    /** Returns the data of the option. */
    public byte[] bytes() {
        ByteArrayOutputStream bytes = new ByteArrayOutputStream();
        try (DataOutputStream out = new DataOutputStream(bytes)) {
            putText(out, name);
            out.writeInt(queries.size());
            for (String query : queries) {
                putText(out, query);
            }
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
        return bytes.toByteArray();
    }

    private static void putText(DataOutputStream out, String text) throws IOException {
        byte[] bytes = WireText.bytes(text);
        out.writeInt(bytes.length);
        out.write(bytes);
    }
}
