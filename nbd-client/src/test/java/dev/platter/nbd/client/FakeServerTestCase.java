package dev.platter.nbd.client;

import dev.platter.core.Warning;
import dev.platter.nbd.protocol.BlockSizes;
import dev.platter.testkit.TestBytes;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.AfterEach;

/** One export of a {@link FakeServer}, both ended with the test, and what the server found told by it. */
abstract class FakeServerTestCase {
    final List<Warning> warnings = new ArrayList<>();
    FakeServer server = new FakeServer(s -> {});
    private final List<AutoCloseable> opened = new ArrayList<>();

    /** Sets a server up before its handshake. */
    @FunctionalInterface
    interface Setting {
        void set(FakeServer server);
    }

    /** Opens an honest disk for writing. */
    final NbdExport open(Setting setting) throws IOException {
        return open(setting, FakeServer::serve);
    }

    /** Opens an export for writing, whose requests the script answers. */
    final NbdExport open(Setting setting, FakeServer.Script then) throws IOException {
        NbdClientOptions options = NbdClientOptions.builder()
                .writable(true)
                .onWarning(warnings::add)
                .build();
        return open(options, s -> {
            setting.set(s);
            s.disk = TestBytes.of(0, (int) Math.min(s.size, 64 << 20));
            s.open();
            then.run(s);
        });
    }

    /** Opens an export of a server that does all by its script. */
    final NbdExport open(NbdClientOptions options, FakeServer.Script script) throws IOException {
        server = new FakeServer(script);
        NbdExport export = NbdClient.attach(server.client, "", options);
        opened.add(export);
        return export;
    }

    @AfterEach
    void closeAndJoin() throws Exception {
        for (AutoCloseable one : opened) {
            one.close();
        }
        server.join();
    }

    static void blocks(FakeServer s, int minimum, int most) {
        s.sizes = new BlockSizes(minimum, Math.max(minimum, 4096), most);
    }

    static ByteBuffer read(NbdExport export, long offset, int length) throws IOException {
        ByteBuffer into = ByteBuffer.allocate(length);
        export.read(offset, into);
        return into;
    }
}
