package dev.platter.examples;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.io.BufferedReader;
import java.io.Closeable;
import java.io.EOFException;
import java.io.IOException;
import java.net.UnixDomainSocketAddress;
import java.nio.ByteBuffer;
import java.nio.channels.Channels;
import java.nio.channels.SocketChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Iterator;
import java.util.List;
import java.util.Map;

/**
 * The control socket of a running QEMU, which {@code -qmp unix:PATH,server=on,wait=off} opens: commands and their answers as
 * lines of JSON, and events between them; "QEMU Machine Protocol Specification". For one thread.
 */
public final class QmpMonitor implements Closeable {
    private static final ObjectMapper JSON = new ObjectMapper();

    private final SocketChannel channel;
    private final BufferedReader lines;
    private final List<JsonNode> events = new ArrayList<>();

    /** Connects. */
    public QmpMonitor(Path socket) throws IOException {
        channel = SocketChannel.open(UnixDomainSocketAddress.of(socket));
        lines = new BufferedReader(Channels.newReader(channel, StandardCharsets.UTF_8));
        boolean ready = false;
        try {
            next(); // the greeting
            execute("qmp_capabilities", Map.of());
            ready = true;
        } finally {
            if (!ready) {
                channel.close();
            }
        }
    }

    /**
     * Runs a command.
     *
     * @return what it returns
     * @throws IOException also if the command fails, with QEMU's own words
     */
    public JsonNode execute(String command, Map<String, ?> arguments) throws IOException {
        ByteBuffer line = ByteBuffer.wrap(JSON.writeValueAsBytes(Map.of("execute", command, "arguments", arguments)));
        while (line.hasRemaining()) {
            channel.write(line);
        }
        while (true) {
            JsonNode message = next();
            if (message.has("return")) {
                return message.get("return");
            }
            if (message.has("error")) {
                throw new IOException(command + ": " + message.at("/error/desc").asText());
            }
            events.add(message);
        }
    }

    /** Waits for an event, one that came before included, whose datum has that value. */
    public void await(String event, String datum, String value) throws IOException {
        while (true) {
            for (Iterator<JsonNode> seen = events.iterator(); seen.hasNext(); ) {
                JsonNode one = seen.next();
                if (one.path("event").asText().equals(event)
                        && one.path("data").path(datum).asText().equals(value)) {
                    seen.remove();
                    return;
                }
            }
            events.add(next());
        }
    }

    private JsonNode next() throws IOException {
        String line = lines.readLine();
        if (line == null) {
            throw new EOFException("QEMU ended the connection");
        }
        return JSON.readTree(line);
    }

    @Override
    public void close() throws IOException {
        channel.close();
    }
}
