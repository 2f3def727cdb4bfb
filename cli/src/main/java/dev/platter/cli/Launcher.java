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
 * What {@code dev/start} does that a JVM cannot, and says in properties: it puts a command into the background, and hands a
 * socket on that was handed to it.
 */
final class Launcher {
    /** Name of the program, as messages begin. */
    private static final String PROGRAM = "platter.program";

    /** Whether standard output goes to whoever waits for the command, and is not looked at by anybody later. */
    private static final String FORKED = "platter.forked";

    /** How many sockets were handed over; if it is one, it is standard input. */
    private static final String SOCKETS = "platter.sockets";

    private final String command;
    private final String program;
    private final boolean forked;
    private final int sockets;
    private boolean isReady;

    private Launcher(String command, String program, boolean forked, int sockets) {
        this.command = command;
        this.program = program;
        this.forked = forked;
        this.sockets = sockets;
    }

    /**
     * Returns what the properties of this JVM say.
     *
     * @param command what is run, {@code platter nbd}; also the name of the program if none is stated
     * @throws StartFailure if sockets were handed to the JVM itself
     */
    static Launcher of(String command) throws StartFailure {
        int sockets = Integer.getInteger(SOCKETS, 0);
        Map<String, String> environment = System.getenv();
        String own = Long.toString(ProcessHandle.current().pid());
        if (sockets == 0 && own.equals(environment.get("LISTEN_PID")) && environment.containsKey("LISTEN_FDS")) {
            throw new StartFailure("a JVM cannot take the socket that was handed to it: " + instead(command));
        }
        return new Launcher(command, System.getProperty(PROGRAM, command), Boolean.getBoolean(FORKED), sockets);
    }

    /** Says what to start by which {@code dev/start} comes first. */
    private static String instead(String command) {
        return "start " + (command.equals("platter nbd") ? "dev/platter-nbd or " : "") + command + " instead";
    }

    String program() {
        return program;
    }

    int sockets() {
        return sockets;
    }

    /** Returns whether this runs in the background. */
    boolean isForked() {
        return forked;
    }

    /**
     * Refuses what only the launcher can do, if it did not, and the other way round.
     *
     * @param option what asks for it
     */
    void requireFork(String option, boolean asked) throws StartFailure {
        if (asked && !forked) {
            throw new StartFailure(option + ": a JVM cannot fork: " + instead(command));
        }
        if (forked && !asked) {
            throw new StartFailure(option + " is the value of an option here; write --option=" + option);
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

    /** Tells whoever waits that the command does what it was started for. From then on nobody reads what it prints. */
    void ready() throws IOException {
        if (!forked) {
            return;
        }
        say("ready");
        isReady = true;
        // Closing these two makes the JVM put /dev/null in their places.
        new FileOutputStream(FileDescriptor.err).close();
    }

    /** Returns whether nobody reads what the command prints, and nobody learns how it ends. */
    boolean isAlone() {
        return isReady;
    }

    /** Tells whoever waits, if somebody still does, how a command ended. */
    static void ended(int exit) throws IOException {
        if (Boolean.getBoolean(FORKED) && FileDescriptor.out.valid()) {
            say("exit " + exit);
        }
    }

    private static void say(String line) throws IOException {
        try (OutputStream out = new FileOutputStream(FileDescriptor.out)) {
            out.write((line + "\n").getBytes(StandardCharsets.US_ASCII));
        }
    }
}
