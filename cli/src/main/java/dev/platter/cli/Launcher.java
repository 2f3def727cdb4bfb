package dev.platter.cli;

import java.io.FileDescriptor;
import java.io.FileOutputStream;
import java.io.IOException;
import java.io.OutputStream;
import java.nio.channels.Channel;
import java.nio.channels.ServerSocketChannel;
import java.nio.charset.StandardCharsets;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/**
 * What {@code dev/nbd-start} does that a JVM cannot, and says in properties: it puts the server into the background, and
 * hands a socket on that was handed to it.
 */
final class Launcher {
    /** Name of the program, as messages begin. */
    private static final String PROGRAM = "platter.program";

    /** Whether standard output goes to whoever waits for the server, and is not looked at by anybody later. */
    private static final String FORKED = "platter.forked";

    /** How many sockets were handed over; if it is one, it is standard input. */
    private static final String SOCKETS = "platter.sockets";

    private final String program;
    private final boolean forked;
    private final int sockets;

    private Launcher(String program, boolean forked, int sockets) {
        this.program = program;
        this.forked = forked;
        this.sockets = sockets;
    }

    /**
     * Returns what the properties of this JVM say.
     *
     * @param otherwise name of the program if none is stated
     * @throws StartFailure if sockets were handed to the JVM itself
     */
    static Launcher of(String otherwise) throws StartFailure {
        int sockets = Integer.getInteger(SOCKETS, 0);
        Map<String, String> environment = System.getenv();
        String own = Long.toString(ProcessHandle.current().pid());
        if (sockets == 0 && own.equals(environment.get("LISTEN_PID")) && environment.containsKey("LISTEN_FDS")) {
            throw new StartFailure("a JVM cannot take the socket that was handed to it: start dev/platter-nbd or"
                    + " platter nbd instead");
        }
        return new Launcher(System.getProperty(PROGRAM, otherwise), Boolean.getBoolean(FORKED), sockets);
    }

    String program() {
        return program;
    }

    int sockets() {
        return sockets;
    }

    /** Refuses what only the launcher can do, if it did not, and the other way round. */
    void requireFork(boolean asked) throws StartFailure {
        if (asked && !forked) {
            throw new StartFailure("--fork: a JVM cannot fork: start dev/platter-nbd or platter nbd instead");
        }
        if (forked && !asked) {
            throw new StartFailure("--fork is the value of an option here; write --option=--fork");
        }
    }

    /** Returns the socket that was handed over, null if none was. */
    @Nullable
    ServerSocketChannel socket() throws IOException {
        if (sockets == 0) {
            return null;
        }
        Channel inherited = System.inheritedChannel();
        if (inherited instanceof ServerSocketChannel socket) {
            return socket;
        }
        throw new StartFailure("Failed to use socket activation: descriptor 3 is no socket that listens");
    }

    /** Tells whoever waits that clients can come. From then on nobody reads what this process prints. */
    void ready() throws IOException {
        if (!forked) {
            return;
        }
        try (OutputStream out = new FileOutputStream(FileDescriptor.out)) {
            out.write("ready\n".getBytes(StandardCharsets.US_ASCII));
        }
        // Closing these two makes the JVM put /dev/null in their places.
        new FileOutputStream(FileDescriptor.err).close();
    }
}
