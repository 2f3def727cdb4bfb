package dev.platter.nbd.tls;

import dev.platter.testkit.ReferenceTools;
import java.io.IOException;
import java.net.UnixDomainSocketAddress;
import java.nio.channels.SocketChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.concurrent.TimeUnit;

/** A server of others that listens on a Unix socket for as long as a test takes. */
final class Program implements AutoCloseable {
    private static final long PATIENCE_MILLIS = 30_000;

    private final Process process;
    private final Path socket;
    private final Path said;

    private Program(Process process, Path socket, Path said) {
        this.process = process;
        this.socket = socket;
        this.said = said;
    }

    static Program start(Path socket, Path said, List<String> command) throws IOException {
        ReferenceTools.assumeTool(command.get(0));
        Process process =
                ReferenceTools.builder(command).redirectError(said.toFile()).start();
        return new Program(process, socket, said);
    }

    /** Connects, once the program listens. */
    SocketChannel connect() throws IOException, InterruptedException {
        UnixDomainSocketAddress address = UnixDomainSocketAddress.of(socket);
        for (long waited = 0; ; waited += 10) {
            try {
                return SocketChannel.open(address);
            } catch (IOException e) {
                if (process.waitFor(10, TimeUnit.MILLISECONDS) || waited > PATIENCE_MILLIS) {
                    throw new IOException("no server: " + Files.readString(said), e);
                }
            }
        }
    }

    /** Ends the program, and returns what it complained. */
    String complaints() throws IOException {
        process.destroy();
        process.onExit().join();
        return Files.readString(said);
    }

    @Override
    public void close() {
        ReferenceTools.end(process);
    }
}
