package dev.platter.nbd.client;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.platter.core.BlockIOException;
import dev.platter.core.Durability;
import dev.platter.core.ZeroMode;
import dev.platter.nbd.protocol.ChunkTypes;
import dev.platter.nbd.protocol.ProtocolException;
import dev.platter.nbd.protocol.TransmissionFlags;
import dev.platter.testkit.Contents;
import dev.platter.testkit.TestBytes;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeUnit;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/** Connections that are lost: what is asked again, and what must not be. */
@Timeout(120)
class ReconnectTest {
    private static final NbdClientOptions AGAIN = NbdClientOptions.builder()
            .writable(true)
            .reconnect(Duration.ofSeconds(60))
            .build();

    @TempDir
    Path folder;

    private @Nullable FakeListener listener;
    private @Nullable NbdExport export;

    private NbdExport open(NbdClientOptions options, FakeServer.Script... scripts) throws IOException {
        FakeListener listening = new FakeListener(folder, scripts);
        listener = listening;
        NbdExport opened = NbdClient.to(listening.uri()).with(options).open();
        export = opened;
        return opened;
    }

    private FakeListener listener() {
        FakeListener listening = listener;
        if (listening == null) {
            throw new IllegalStateException("nothing listens");
        }
        return listening;
    }

    @AfterEach
    void close() throws Exception {
        if (export != null) {
            export.close();
        }
        if (listener != null) {
            listener.join();
        }
    }

    /** Serves that many requests and hangs up when the next one is there. */
    private static FakeServer.Script serving(int requests) {
        return s -> {
            s.disk = TestBytes.of(0, (int) FakeServer.SIZE);
            s.open();
            for (int i = 0; i < requests; i++) {
                s.next();
                s.answer();
            }
            s.next();
        };
    }

    private static FakeServer.Script serving() {
        return s -> {
            s.disk = TestBytes.of(0, (int) FakeServer.SIZE);
            s.open();
            s.serve();
        };
    }

    @Test
    void readsAreAskedAgain() throws Exception {
        NbdExport disk = open(AGAIN, serving(1), serving(2), serving());

        for (int i = 0; i < 10; i++) {
            Contents.testBytes(FakeServer.SIZE).assertRead(disk, 4096L * i, 4096);
        }
        List<Long> status = new ArrayList<>();
        disk.status("base:allocation", 0, 4096, (offset, length, flags) -> status.add(flags));

        assertThat(status).containsExactly(0L);
        assertThat(listener().count()).isEqualTo(3);
    }

    @Test
    void nothingIsAskedAgainUnlessThatIsAllowed() throws Exception {
        NbdExport disk = open(NbdClientOptions.defaults(), serving(0), serving());

        for (int i = 0; i < 2; i++) {
            assertThatThrownBy(() -> disk.read(0, ByteBuffer.allocate(512)))
                    .isInstanceOf(BlockIOException.class)
                    .hasMessageEndingWith(": the server closed the connection");
        }
        assertThat(listener().count()).isEqualTo(1);
    }

    @Test
    void asynchronousReadsAreAskedAgain() throws Exception {
        NbdExport disk = open(AGAIN, serving(2), serving());
        List<CompletableFuture<Void>> reads = new ArrayList<>();
        ByteBuffer all = ByteBuffer.allocateDirect(20 * 4096);

        for (int i = 0; i < 20; i++) {
            reads.add(disk.readAsync(4096L * i, all.slice(4096 * i, 4096)));
        }

        for (CompletableFuture<Void> read : reads) {
            read.get(60, TimeUnit.SECONDS);
        }
        Contents.testBytes(FakeServer.SIZE).assertMatch(0, all, "reads");
    }

    @Test
    void writeThatMayHaveHappenedIsNeverSentAgain() throws Exception {
        NbdExport disk = open(AGAIN, serving(0), serving());

        assertThatThrownBy(() -> disk.write(512, ByteBuffer.allocate(1024), Durability.NONE))
                .isInstanceOf(BlockIOException.class)
                .hasMessageContaining("the write of 1024 at 512 may have happened or not");

        Contents.testBytes(FakeServer.SIZE).assertRead(disk, 0, 4096);
        assertThat(listener().server(1).log).containsExactly("READ of 4096 bytes at 0");
    }

    @Test
    void zeroingAndDiscardingAreNeverSentAgainEither() throws Exception {
        NbdExport disk = open(AGAIN, serving(0), serving(0), serving(0), serving());

        assertThatThrownBy(() -> disk.discard(0, 4096)).hasMessageContaining("may have happened or not");
        assertThatThrownBy(() -> disk.writeZeroes(0, 4096, ZeroMode.MAY_UNMAP, Durability.NONE))
                .hasMessageContaining("may have happened or not");
        assertThatThrownBy(() -> disk.writeAsync(0, ByteBuffer.allocate(512), Durability.NONE)
                        .get(60, TimeUnit.SECONDS))
                .isInstanceOf(ExecutionException.class)
                .cause()
                .hasMessageContaining("may have happened or not");
        Contents.testBytes(FakeServer.SIZE).assertRead(disk, 0, 4096);

        assertThat(listener().server(3).log).containsExactly("READ of 4096 bytes at 0");
    }

    @Test
    void writeThatWasNeverSentIsSentByTheNextConnection() throws Exception {
        NbdExport disk = open(AGAIN, FakeServer::open, serving());
        listener().awaitConnections(0);

        disk.write(0, ByteBuffer.wrap(TestBytes.of(1 << 30, 512)), Durability.NONE);

        Contents.testBytes((1 << 30) + 512L).slice(1 << 30, 512).assertRead(disk, 0, 512);
    }

    @Test
    void flushFailsOnceWhenWritesWereLostThatItShouldHaveCovered() throws Exception {
        NbdExport disk = open(AGAIN, serving(1), serving());
        disk.write(0, ByteBuffer.allocate(512), Durability.NONE);

        assertThatThrownBy(disk::flush)
                .isInstanceOf(BlockIOException.class)
                .hasMessageContaining("the connection was lost after writes that no flush had covered");
        disk.flush();
    }

    @Test
    void flushFailsAlsoWhenTheLossWasNoticedByAReadBefore() throws Exception {
        NbdExport disk = open(AGAIN, serving(1), serving());
        disk.write(0, ByteBuffer.allocate(512), Durability.NONE);
        disk.read(0, ByteBuffer.allocate(512));

        assertThatThrownBy(disk::flush).hasMessageContaining("they may be lost too");
        disk.flush();
    }

    @Test
    void flushSucceedsWhereAllWritesWereFlushedBeforeTheLoss() throws Exception {
        NbdExport disk = open(AGAIN, serving(2), serving());
        disk.write(0, ByteBuffer.allocate(512), Durability.NONE);
        disk.flush();
        disk.read(0, ByteBuffer.allocate(512));

        disk.flush();

        assertThat(listener().count()).isEqualTo(2);
    }

    @Test
    void serverThatBreaksTheProtocolIsNotAskedAgain() throws Exception {
        NbdExport disk = open(
                AGAIN,
                s -> {
                    s.open();
                    s.next();
                    s.chunk(true, ChunkTypes.NONE, s.request.cookie());
                    s.awaitEnd();
                },
                serving());

        for (int i = 0; i < 2; i++) {
            assertThatThrownBy(() -> disk.read(0, ByteBuffer.allocate(512))).isInstanceOf(ProtocolException.class);
        }
        assertThat(listener().count()).isEqualTo(1);
    }

    @Test
    void readThatFailsOnEveryConnectionIsGivenUp() throws Exception {
        NbdExport disk = open(AGAIN, serving(0));

        assertThatThrownBy(() -> disk.read(0, ByteBuffer.allocate(512)))
                .isInstanceOf(BlockIOException.class)
                .hasMessageEndingWith("the server closed the connection");
        assertThat(listener().count()).isEqualTo(4);
    }

    @Test
    void tryingEndsWhenTheTimeIsUp() throws Exception {
        NbdClientOptions shortly =
                NbdClientOptions.builder().reconnect(Duration.ofMillis(200)).build();
        NbdExport disk = open(shortly, serving(0));
        listener().close();

        assertThatThrownBy(() -> disk.read(0, ByteBuffer.allocate(512)))
                .isInstanceOf(BlockIOException.class)
                .hasMessageContaining("cannot be connected to");
    }

    @Test
    void exportThatChangedIsNotTakenForTheOldOne() throws Exception {
        NbdExport disk = open(AGAIN, serving(0), s -> {
            s.size = 4096;
            s.open();
            s.next();
        });

        assertThatThrownBy(() -> disk.read(0, ByteBuffer.allocate(512)))
                .isInstanceOf(BlockIOException.class)
                .hasMessageContaining("the export is not what it was: 1048576 bytes")
                .hasMessageContaining("4096 bytes");
    }

    @Test
    void requestsGoOnOverTheConnectionsThatAreLeft() throws Exception {
        FakeServer.Script one = s -> {
            s.flags |= TransmissionFlags.CAN_MULTI_CONN;
            s.open();
        };
        FakeServer.Script other = s -> {
            s.flags |= TransmissionFlags.CAN_MULTI_CONN;
            s.disk = TestBytes.of(0, (int) FakeServer.SIZE);
            s.open();
            s.serve();
        };
        NbdExport disk = open(NbdClientOptions.builder().connections(3).build(), one, other, other);
        listener().awaitConnections(2);

        assertThat(disk.connections()).isEqualTo(3);
        for (int i = 0; i < 20; i++) {
            Contents.testBytes(FakeServer.SIZE).assertRead(disk, 4096L * i, 4096);
        }
    }
}
