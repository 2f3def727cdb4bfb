package dev.platter.nbd.client;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.platter.core.BlockIOException;
import dev.platter.core.Durability;
import dev.platter.core.Extent;
import dev.platter.core.Extents;
import dev.platter.core.Features;
import dev.platter.core.NotFasterException;
import dev.platter.core.ReadOnlyDeviceException;
import dev.platter.core.Warning;
import dev.platter.core.ZeroMode;
import dev.platter.nbd.protocol.BlockSizes;
import dev.platter.nbd.protocol.ChunkTypes;
import dev.platter.nbd.protocol.CommandFlags;
import dev.platter.nbd.protocol.NbdError;
import dev.platter.nbd.protocol.ProtocolException;
import dev.platter.nbd.protocol.ReplyHeader.Form;
import dev.platter.nbd.protocol.TransmissionFlags;
import dev.platter.testkit.Contents;
import dev.platter.testkit.TestBytes;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.ValueSource;

/** What requests of a device become on the wire. */
@Timeout(60)
class NbdExportTest {
    private static final int FUA = CommandFlags.FUA;
    private static final int NO_HOLE = CommandFlags.NO_HOLE;
    private static final int FAST_ZERO = CommandFlags.FAST_ZERO;

    private final List<Warning> warnings = new ArrayList<>();
    private final List<AutoCloseable> opened = new ArrayList<>();
    private FakeServer server = new FakeServer(s -> {});

    /** Sets a server up before its handshake. */
    @FunctionalInterface
    private interface Setting {
        void set(FakeServer server);
    }

    private NbdExport open(Setting setting) throws IOException {
        return open(setting, FakeServer::serve);
    }

    private NbdExport open(Setting setting, FakeServer.Script then) throws IOException {
        server = new FakeServer(s -> {
            setting.set(s);
            s.disk = TestBytes.of(0, (int) Math.min(s.size, 64 << 20));
            s.open();
            then.run(s);
        });
        NbdClientOptions options = NbdClientOptions.builder()
                .writable(true)
                .onWarning(warnings::add)
                .build();
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

    private static void blocks(FakeServer s, int minimum, int most) {
        s.sizes = new BlockSizes(minimum, Math.max(minimum, 4096), most);
    }

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

    @ParameterizedTest
    @EnumSource(ZeroMode.class)
    void zeroesAreAskedForInTheModeThatIsWanted(ZeroMode mode) throws Exception {
        NbdExport export = open(s -> s.flags |= TransmissionFlags.SEND_FAST_ZERO);
        int flags = (mode.mayUnmap() ? 0 : NO_HOLE) | (mode.isFast() ? FAST_ZERO : 0) | FUA;

        if (mode.isFast()) {
            assertThatThrownBy(() -> export.writeZeroes(100, 300_000_000 % 900_000, mode, Durability.FUA))
                    .isInstanceOf(NotFasterException.class);
        } else {
            export.writeZeroes(100, 300_000, mode, Durability.FUA);
            Contents.zeros(300_000).slice(0, 300_000).assertMatch(0, read(export, 100, 300_000), "zeros");
        }

        assertThat(server.log.get(0)).startsWith("WRITE_ZEROES of").endsWith(" at 100 flags " + flags);
    }

    private static ByteBuffer read(NbdExport export, long offset, int length) throws IOException {
        ByteBuffer into = ByteBuffer.allocate(length);
        export.read(offset, into);
        return into;
    }

    @Test
    void fastZeroesAreNotAskedForWhereTheServerDoesNotOfferThem() throws Exception {
        NbdExport export = open(s -> {});

        assertThatThrownBy(() -> export.writeZeroes(0, 4096, ZeroMode.FAST_KEEP, Durability.NONE))
                .isInstanceOf(NotFasterException.class);
        assertThat(server.log).isEmpty();
        assertThat(export.features().fastZero()).isFalse();
    }

    @Test
    void zeroesAreWrittenWhereTheServerHasNoOtherWay() throws Exception {
        NbdExport export = open(s -> s.flags &= ~TransmissionFlags.SEND_WRITE_ZEROES);

        export.writeZeroes(1000, 300_000, ZeroMode.MAY_UNMAP, Durability.NONE);

        Contents.zeros(300_000).assertMatch(0, read(export, 1000, 300_000), "zeros");
        assertThat(server.log.get(0)).isEqualTo("WRITE of 262144 bytes at 1000");
        assertThatThrownBy(() -> export.writeZeroes(0, 4096, ZeroMode.FAST_UNMAP, Durability.NONE))
                .isInstanceOf(NotFasterException.class);
    }

    @Test
    void zeroesOfPartsOfBlocksLeaveTheRestAlone() throws Exception {
        NbdExport export = open(s -> blocks(s, 4096, 1 << 20));

        export.writeZeroes(100, 12_000, ZeroMode.MAY_UNMAP, Durability.NONE);
        export.writeZeroes(50_000, 10, ZeroMode.KEEP_ALLOCATION, Durability.NONE);

        byte[] expected = TestBytes.of(0, 60_000);
        java.util.Arrays.fill(expected, 100, 12_100, (byte) 0);
        java.util.Arrays.fill(expected, 50_000, 50_010, (byte) 0);
        Contents.of(expected).assertRead(export, 0, 60_000);
        assertThat(server.log.get(0)).isEqualTo("WRITE_ZEROES of 4096 bytes at 4096");
    }

    @Test
    void discardLeavesPartsOfBlocksAlone() throws Exception {
        NbdExport export = open(s -> blocks(s, 4096, 1 << 20));

        export.discard(100, 12_000);
        export.discard(100, 4000);

        assertThat(server.log).containsExactly("TRIM of 4096 bytes at 4096");
    }

    @Test
    void discardDoesNothingWhereTheServerCannot() throws Exception {
        NbdExport export = open(s -> s.flags &= ~TransmissionFlags.SEND_TRIM);

        export.discard(0, 4096);
        export.discardAsync(0, 4096).get(1, TimeUnit.SECONDS);

        assertThat(server.log).isEmpty();
        assertThat(export.features().trim()).isFalse();
    }

    @Test
    void hugeTrimsAndZeroesAreCutIntoPieces() throws Exception {
        NbdExport export = open(s -> s.size = 1L << 40, s -> {
            while (true) {
                s.next();
                s.succeed();
            }
        });

        export.discard(0, 600 << 20);
        export.writeZeroes(1L << 39, 600 << 20, ZeroMode.MAY_UNMAP, Durability.NONE);

        assertThat(server.log)
                .containsExactly(
                        "TRIM of 268435456 bytes at 0",
                        "TRIM of 268435456 bytes at 268435456",
                        "TRIM of 92274688 bytes at 536870912",
                        "WRITE_ZEROES of 268435456 bytes at 549755813888",
                        "WRITE_ZEROES of 268435456 bytes at 550024249344",
                        "WRITE_ZEROES of 92274688 bytes at 550292684800");
    }

    @Test
    void laterPieceThatIsNotFastIsZeroedAnyway() throws Exception {
        NbdExport export = open(
                s -> {
                    s.size = 1L << 40;
                    s.flags |= TransmissionFlags.SEND_FAST_ZERO;
                },
                s -> {
                    s.next();
                    s.succeed();
                    s.next();
                    s.fail(NbdError.ENOTSUP);
                    while (true) {
                        s.next();
                        s.succeed();
                    }
                });

        export.writeZeroes(0, 600 << 20, ZeroMode.FAST_UNMAP, Durability.NONE);

        assertThat(server.log)
                .containsExactly(
                        "WRITE_ZEROES of 268435456 bytes at 0 flags 16",
                        "WRITE_ZEROES of 268435456 bytes at 268435456 flags 16",
                        "WRITE_ZEROES of 268435456 bytes at 268435456",
                        "WRITE_ZEROES of 92274688 bytes at 536870912");
    }

    @Test
    void durableWriteIsFlushedWhereTheServerHasNoOtherWay() throws Exception {
        NbdExport export = open(s -> s.flags &= ~TransmissionFlags.SEND_FUA);

        export.write(0, ByteBuffer.allocate(512), Durability.FUA);
        export.writeAsync(512, ByteBuffer.allocate(512), Durability.FUA).get(30, TimeUnit.SECONDS);
        export.writeZeroes(0, 512, ZeroMode.MAY_UNMAP, Durability.FUA);

        assertThat(server.log)
                .containsExactly(
                        "WRITE of 512 bytes at 0",
                        "FLUSH of 0 bytes at 0",
                        "WRITE of 512 bytes at 512",
                        "FLUSH of 0 bytes at 0",
                        "WRITE_ZEROES of 512 bytes at 0",
                        "FLUSH of 0 bytes at 0");
    }

    @Test
    void serverThatCannotFlushIsNotAskedToAndAWarningSaysSo() throws Exception {
        NbdExport export = open(s -> s.flags &= ~(TransmissionFlags.SEND_FUA | TransmissionFlags.SEND_FLUSH));

        export.write(0, ByteBuffer.allocate(512), Durability.FUA);
        export.flush();

        assertThat(server.log).containsExactly("WRITE of 512 bytes at 0");
        assertThat(warnings).singleElement().asString().contains("cannot flush");
    }

    @Test
    void featuresAreThoseOfTheServer() throws Exception {
        NbdExport export = open(s -> {
            blocks(s, 512, 1 << 20);
            s.flags |= TransmissionFlags.SEND_FAST_ZERO | TransmissionFlags.CAN_MULTI_CONN;
        });

        assertThat(export.features())
                .isEqualTo(new Features(false, true, true, true, true, 0, 512, 4096, 1 << 20, true, false));
        assertThat(export.connections()).isEqualTo(1);
    }

    @Test
    void exportOpenedForReadingRefusesWritesThatTheServerWouldTake() throws Exception {
        server = new FakeServer(s -> {
            s.open();
            s.next();
        });
        NbdExport export = NbdClient.attach(server.client, "", NbdClientOptions.defaults());
        opened.add(export);

        assertThat(export.features().readOnly()).isTrue();
        assertThatThrownBy(() -> export.write(0, ByteBuffer.allocate(512), Durability.NONE))
                .isInstanceOf(ReadOnlyDeviceException.class);
        assertThatThrownBy(() -> export.discardAsync(0, 512)).isInstanceOf(ReadOnlyDeviceException.class);
        export.flush();
    }

    @ParameterizedTest
    @EnumSource(Form.class)
    void allRequestsWorkWithRepliesOfEachForm(Form form) throws Exception {
        server = new FakeServer(s -> {
            s.replies = form;
            s.disk = TestBytes.of(0, (int) FakeServer.SIZE);
            s.flags |= TransmissionFlags.SEND_FAST_ZERO;
            if (form == Form.EXTENDED) {
                s.greet();
                s.expect(dev.platter.nbd.protocol.Options.EXTENDED_HEADERS);
                s.ack(dev.platter.nbd.protocol.Options.EXTENDED_HEADERS);
                s.agreeOnContexts();
                s.go();
            } else {
                s.open();
            }
            s.serve();
        });
        NbdClientOptions options = NbdClientOptions.builder()
                .writable(true)
                .extendedHeaders(form == Form.EXTENDED)
                .build();
        NbdExport export = NbdClient.attach(server.client, "", options);
        opened.add(export);
        byte[] expected = TestBytes.of(0, (int) FakeServer.SIZE);
        byte[] fresh = TestBytes.of(1 << 30, 100_000);

        export.write(1000, ByteBuffer.wrap(fresh), Durability.FUA);
        export.writeZeroes(50_000, 10_000, ZeroMode.KEEP_ALLOCATION, Durability.NONE);
        export.discard(0, 0);
        export.discard(900_000, 10);
        export.flush();
        export.prefetch(0, 100_000);

        System.arraycopy(fresh, 0, expected, 1000, 100_000);
        java.util.Arrays.fill(expected, 50_000, 60_000, (byte) 0);
        Contents.of(expected).assertAll(export);
        assertThat(Extents.at(export, 5)).isEqualTo(new Extent(5, FakeServer.SIZE - 5, Extent.ALLOCATED, 0, null, -1));
        assertThatThrownBy(() -> export.writeZeroes(0, 512, ZeroMode.FAST_KEEP, Durability.NONE))
                .isInstanceOf(NotFasterException.class);
    }

    @Test
    void statusOfEachKindIsAFactOfItsOwn() throws Exception {
        NbdExport export = open(s -> {}, s -> {
            s.next();
            s.chunk(
                    true,
                    ChunkTypes.BLOCK_STATUS,
                    s.request.cookie(),
                    FakeServer.CONTEXT,
                    1024,
                    0,
                    1024,
                    1,
                    1024,
                    2,
                    1024,
                    0xf3);
            s.serve();
        });
        List<String> facts = new ArrayList<>();

        export.extents(
                0,
                4096,
                (offset, length, bits, depth, below, belowOffset) -> facts.add(offset + "+" + length + "=" + bits));

        assertThat(facts)
                .containsExactly(
                        "0+1024=" + Extent.ALLOCATED,
                        "1024+1024=0",
                        "2048+1024=" + (Extent.ALLOCATED | Extent.READS_AS_ZERO),
                        "3072+1024=" + Extent.READS_AS_ZERO);
    }

    @Test
    void shortAnswersAreAskedOn() throws Exception {
        NbdExport export = open(s -> {}, s -> {
            for (int i = 0; i < 4; i++) {
                s.next();
                s.chunk(true, ChunkTypes.BLOCK_STATUS, s.request.cookie(), FakeServer.CONTEXT, 1000, i);
            }
            s.serve();
        });
        List<String> ranges = new ArrayList<>();

        export.status(
                "base:allocation",
                100,
                3500,
                (offset, length, status) -> ranges.add(offset + "+" + length + "=" + status));

        assertThat(ranges).containsExactly("100+1000=0", "1100+1000=1", "2100+1000=2", "3100+500=3");
        assertThat(server.log).contains("BLOCK_STATUS of 500 bytes at 3100");
    }

    @Test
    void answerThatEndsWithinABlockIsAskedOnAtTheBlock() throws Exception {
        NbdExport export = open(s -> blocks(s, 4096, 1 << 20), s -> {
            s.next();
            s.chunk(true, ChunkTypes.BLOCK_STATUS, s.request.cookie(), FakeServer.CONTEXT, 5000, 1);
            s.next();
            s.chunk(true, ChunkTypes.BLOCK_STATUS, s.request.cookie(), FakeServer.CONTEXT, 904, 1, 99_096, 2);
            s.serve();
        });
        List<String> ranges = new ArrayList<>();

        export.status(
                "base:allocation",
                0,
                20_000,
                (offset, length, status) -> ranges.add(offset + "+" + length + "=" + status));

        assertThat(ranges).containsExactly("0+5000=1", "5000+15000=2");
        assertThat(server.log)
                .containsExactly("BLOCK_STATUS of 20480 bytes at 0", "BLOCK_STATUS of 16384 bytes at 4096");
    }

    @Test
    void answerThatNeverGetsBehindABlockIsRefused() throws Exception {
        NbdExport export = open(s -> blocks(s, 4096, 1 << 20), s -> {
            s.next();
            s.chunk(true, ChunkTypes.BLOCK_STATUS, s.request.cookie(), FakeServer.CONTEXT, 1000, 1);
            s.serve();
        });

        assertThatThrownBy(() -> export.status("base:allocation", 0, 20_000, (offset, length, status) -> true))
                .isInstanceOf(ProtocolException.class)
                .hasMessageContaining("no whole blocks of 4096 bytes");
    }

    @Test
    void hugeExportIsAskedForStatusInParts() throws Exception {
        NbdExport export = open(s -> s.size = 1L << 40, s -> {
            while (true) {
                s.next();
                int length = (int) Math.min(s.request.length(), 0xffff_ffffL);
                s.chunk(true, ChunkTypes.BLOCK_STATUS, s.request.cookie(), FakeServer.CONTEXT, length, 3);
            }
        });
        long[] total = {0};

        export.status("base:allocation", 0, export.size(), (offset, length, status) -> {
            assertThat(offset).isEqualTo(total[0]);
            total[0] += length;
            return true;
        });

        assertThat(total[0]).isEqualTo(1L << 40);
        assertThat(server.log).hasSize(257);
    }

    @Test
    void oneRangeIsAskedForWhereOneIsWanted() throws Exception {
        NbdExport export = open(s -> {}, s -> {
            s.next();
            assertThat(s.request.flags()).isEqualTo(CommandFlags.REQ_ONE);
            s.chunk(true, ChunkTypes.BLOCK_STATUS, s.request.cookie(), FakeServer.CONTEXT, 5000, 2);
            s.serve();
        });
        List<String> ranges = new ArrayList<>();

        export.statusAt(
                "base:allocation", 100, (offset, length, status) -> ranges.add(offset + "+" + length + "=" + status));

        assertThat(ranges).containsExactly("100+5000=2");
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

    @ParameterizedTest
    @ValueSource(ints = {1, 5, 12, 22, 28, 75, 95, 108, 4711})
    void errorsOfTheServerAreToldWithTheRequest(int number) throws Exception {
        NbdExport export = open(s -> {}, s -> {
            s.next();
            s.receive((int) s.request.length());
            s.simple(number, s.request.cookie());
            s.serve();
        });
        BlockIOException.Kind kind = switch (number) {
            case 28 -> BlockIOException.Kind.NO_SPACE;
            case 95 -> BlockIOException.Kind.NOT_SUPPORTED;
            case 108 -> BlockIOException.Kind.SHUTDOWN;
            default -> BlockIOException.Kind.IO;
        };

        assertThatThrownBy(() -> export.write(512, ByteBuffer.allocate(1024), Durability.NONE))
                .isInstanceOfSatisfying(
                        BlockIOException.class, e -> assertThat(e.kind()).isEqualTo(kind))
                .hasMessage("NBD export: write of 1024 at 512: "
                        + NbdError.of(number).text());
    }

    @Test
    void manyAsynchronousRequestsAreOnTheirWayAtOnce() throws Exception {
        NbdExport export = open(s -> {}, s -> {
            List<Long> cookies = new ArrayList<>();
            for (int i = 0; i < 64; i++) {
                s.next();
                cookies.add(s.request.cookie());
            }
            for (int i = 63; i >= 0; i--) {
                s.chunk(true, ChunkTypes.OFFSET_DATA, cookies.get(i), 4096L * i, TestBytes.of(4096L * i, 4096));
            }
            s.serve();
        });
        ByteBuffer all = ByteBuffer.allocateDirect(64 * 4096);
        List<CompletableFuture<Void>> reads = new ArrayList<>();

        for (int i = 0; i < 64; i++) {
            reads.add(export.readAsync(4096L * i, all.slice(4096 * i, 4096)));
        }

        CompletableFuture.allOf(reads.toArray(new CompletableFuture<?>[0])).get(30, TimeUnit.SECONDS);
        Contents.testBytes(FakeServer.SIZE).assertMatch(0, all, "reads");
    }

    @Test
    void asynchronousRequestsOfPartsAndOfManyPiecesGiveTheSame() throws Exception {
        NbdExport export = open(s -> blocks(s, 4096, 65_536));
        ByteBuffer parts = ByteBuffer.allocate(300_000);
        ByteBuffer pieces = ByteBuffer.allocateDirect(315_392 + 10).position(10);
        byte[] fresh = TestBytes.of(1 << 30, 300_000);

        export.writeAsync(4096, ByteBuffer.wrap(fresh, 0, 204_800), Durability.NONE)
                .get(30, TimeUnit.SECONDS);
        export.writeAsync(208_896, ByteBuffer.wrap(fresh, 204_800, 95_200), Durability.FUA)
                .get(30, TimeUnit.SECONDS);
        export.writeZeroesAsync(8192, 4096, ZeroMode.MAY_UNMAP, Durability.NONE).get(30, TimeUnit.SECONDS);
        export.writeZeroesAsync(20_000, 100, ZeroMode.MAY_UNMAP, Durability.NONE)
                .get(30, TimeUnit.SECONDS);
        export.flushAsync().get(30, TimeUnit.SECONDS);
        export.readAsync(4097, parts).get(30, TimeUnit.SECONDS);
        export.readAsync(0, pieces).get(30, TimeUnit.SECONDS);

        byte[] expected = TestBytes.of(0, (int) FakeServer.SIZE);
        System.arraycopy(fresh, 0, expected, 4096, 300_000);
        java.util.Arrays.fill(expected, 8192, 12_288, (byte) 0);
        java.util.Arrays.fill(expected, 20_000, 20_100, (byte) 0);
        Contents.of(expected).assertMatch(4097, parts, "parts");
        Contents.of(expected).assertMatch(0, pieces.slice(), "pieces");
        assertThat(parts.position()).isZero();
    }

    @Test
    void asynchronousRequestThatLeavesTheDeviceIsRefusedAtOnce() throws Exception {
        NbdExport export = open(s -> {});

        assertThatThrownBy(() -> export.readAsync(export.size(), ByteBuffer.allocate(1)))
                .isInstanceOf(IndexOutOfBoundsException.class);
        assertThatThrownBy(() -> export.readAsync(0, ByteBuffer.allocate(1).asReadOnlyBuffer()))
                .isInstanceOf(java.nio.ReadOnlyBufferException.class);
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
}
