package dev.platter.nbd.client;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.platter.core.Durability;
import dev.platter.core.ZeroMode;
import dev.platter.nbd.protocol.CommandFlags;
import dev.platter.nbd.protocol.NbdError;
import dev.platter.testkit.Contents;
import dev.platter.testkit.TestBytes;
import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/** How reads and writes are cut where a server wants whole blocks, or not too much at once. */
@Timeout(60)
class NbdExportBlocksTest extends FakeServerTestCase {
    private static final int FUA = CommandFlags.FUA;

    @Test
    void longReadsAndWritesAreCutAtWhatTheServerTakes() throws Exception {
        NbdExport export = open(s -> blocks(s, 512, 65_536));
        ByteBuffer bytes = ByteBuffer.allocate(200_704);

        export.read(512, bytes);
        export.write(512, bytes.flip(), Durability.NONE);

        Contents.testBytes(FakeServer.SIZE).assertMatch(512, bytes, "read");
        assertThat(bytes.position()).isEqualTo(200_704);
        assertThat(server.log)
                .containsExactly(
                        "READ of 65536 bytes at 512",
                        "READ of 65536 bytes at 66048",
                        "READ of 65536 bytes at 131584",
                        "READ of 4096 bytes at 197120",
                        "WRITE of 65536 bytes at 512",
                        "WRITE of 65536 bytes at 66048",
                        "WRITE of 65536 bytes at 131584",
                        "WRITE of 4096 bytes at 197120");
        assertThat(export.features().maximumTransfer()).isEqualTo(65_536);
        assertThat(export.features().minimumTransfer()).isEqualTo(512);
    }

    @Test
    void partsOfBlocksAreReadWithTheWholeBlocks() throws Exception {
        NbdExport export = open(s -> blocks(s, 4096, 1 << 20));

        Contents.testBytes(FakeServer.SIZE).assertRead(export, 5000, 100);
        Contents.testBytes(FakeServer.SIZE).assertRead(export, 4095, 2);
        Contents.testBytes(FakeServer.SIZE).assertRead(export, 1, 400_000);

        assertThat(server.log)
                .containsExactly(
                        "READ of 4096 bytes at 4096",
                        "READ of 8192 bytes at 0",
                        "READ of 4096 bytes at 0",
                        "READ of 393216 bytes at 4096",
                        "READ of 4096 bytes at 397312");
    }

    @Test
    void partsOfBlocksAreWrittenWithTheBytesAroundThem() throws Exception {
        NbdExport export = open(s -> blocks(s, 4096, 1 << 20));

        export.write(5000, ByteBuffer.allocate(100), Durability.FUA);

        assertThat(server.log)
                .containsExactly("READ of 4096 bytes at 4096", "WRITE of 4096 bytes at 4096 flags " + FUA);
        byte[] expected = TestBytes.of(0, 16_384);
        java.util.Arrays.fill(expected, 5000, 5100, (byte) 0);
        Contents.of(expected).assertRead(export, 0, 16_384);
    }

    @Test
    void longWriteChangesPartsAtItsEndsAlone() throws Exception {
        NbdExport export = open(s -> blocks(s, 4096, 1 << 20));
        byte[] fresh = TestBytes.of(1 << 30, 400_000);

        export.write(1, ByteBuffer.wrap(fresh), Durability.NONE);

        assertThat(server.log)
                .containsExactly(
                        "READ of 4096 bytes at 0",
                        "WRITE of 4096 bytes at 0",
                        "WRITE of 393216 bytes at 4096",
                        "READ of 4096 bytes at 397312",
                        "WRITE of 4096 bytes at 397312");
        byte[] expected = TestBytes.of(0, 450_000);
        System.arraycopy(fresh, 0, expected, 1, 400_000);
        Contents.of(expected).assertRead(export, 0, 450_000);
    }

    @Test
    void serverThatStatesNoBlocksIsAskedForSectors() throws Exception {
        NbdExport export = open(s -> s.sizes = null);

        Contents.testBytes(FakeServer.SIZE).assertRead(export, 5000, 100);

        assertThat(server.log).containsExactly("READ of 512 bytes at 4608");
        assertThat(export.details().blockSizes()).isNull();
    }

    @Test
    void serverThatStatesNoBlocksIsAskedForBytesWhereItsSizeIsOdd() throws Exception {
        NbdExport export = open(s -> {
            s.sizes = null;
            s.size = 5001;
        });

        Contents.testBytes(5001).assertAll(export);

        assertThat(server.log).containsExactly("READ of 5001 bytes at 0");
    }

    @Test
    void bytesBehindTheLastWholeBlockCannotBeReached() throws Exception {
        NbdExport export = open(s -> {
            blocks(s, 4096, 1 << 20);
            s.size = 10_000;
        });

        assertThat(export.size()).isEqualTo(8192);
        assertThat(export.details().size()).isEqualTo(10_000);
        assertThat(warnings).singleElement().asString().contains("the last 1808 bytes cannot be reached");
        Contents.testBytes(8192).assertAll(export);
    }

    @Test
    void requestsOfNothingAreNotSent() throws Exception {
        NbdExport export = open(s -> blocks(s, 4096, 1 << 20));

        export.read(5, ByteBuffer.allocate(0));
        export.write(5, ByteBuffer.allocate(0), Durability.NONE);
        export.writeZeroes(5, 0, ZeroMode.FAST_UNMAP, Durability.NONE);
        export.discard(5, 4096);
        export.readAsync(4096, ByteBuffer.allocate(0)).get(1, TimeUnit.SECONDS);

        assertThat(server.log).isEmpty();
    }

    @Test
    void writesOfPartsOfOneBlockByManyThreadsAreAllKept() throws Exception {
        NbdExport export = open(s -> blocks(s, 4096, 1 << 20));
        List<CompletableFuture<Void>> writes = new ArrayList<>();

        for (int i = 0; i < 64; i++) {
            writes.add(export.writeAsync(
                    64L * i, ByteBuffer.wrap(TestBytes.of((1 << 30) + 64L * i, 64)), Durability.NONE));
        }
        CompletableFuture.allOf(writes.toArray(new CompletableFuture<?>[0])).get(30, TimeUnit.SECONDS);

        Contents.testBytes((1 << 30) + 4096L).slice(1 << 30, 4096).assertMatch(0, read(export, 0, 4096), "block");
    }

    @Test
    void readInOnePieceAsksForThat() throws Exception {
        NbdExport export = open(s -> blocks(s, 512, 65_536));
        ByteBuffer into = ByteBuffer.allocate(65_536);

        export.readInOnePiece(512, into);

        assertThat(server.log).containsExactly("READ of 65536 bytes at 512 flags " + CommandFlags.DF);
        assertThatThrownBy(() -> export.readInOnePiece(0, ByteBuffer.allocate(65_537)))
                .isInstanceOf(IllegalArgumentException.class);
        assertThatThrownBy(() -> export.readInOnePiece(1, ByteBuffer.allocate(512)))
                .isInstanceOf(IllegalArgumentException.class);
    }

    @Test
    void prefetchIsAHintOfAtMostOneRequest() throws Exception {
        NbdExport export = open(s -> blocks(s, 4096, 65_536));

        export.prefetch(5000, 10);
        export.prefetch(0, export.size());
        export.prefetch(-1, 4096);
        export.prefetch(export.size(), 0);
        export.read(0, ByteBuffer.allocate(512));

        assertThat(server.log)
                .containsExactly("CACHE of 4096 bytes at 4096", "CACHE of 65536 bytes at 0", "READ of 4096 bytes at 0");
    }

    @Test
    void prefetchThatFailsIsNobodysBusiness() throws Exception {
        NbdExport export = open(s -> {}, s -> {
            s.next();
            s.fail(NbdError.EIO);
            s.serve();
        });

        export.prefetch(0, 4096);

        Contents.testBytes(FakeServer.SIZE).assertRead(export, 0, 4096);
    }
}
