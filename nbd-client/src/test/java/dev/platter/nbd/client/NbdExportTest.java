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
import dev.platter.core.ZeroMode;
import dev.platter.nbd.protocol.ChunkTypes;
import dev.platter.nbd.protocol.NbdError;
import dev.platter.nbd.protocol.Options;
import dev.platter.nbd.protocol.ReplyHeader.Form;
import dev.platter.nbd.protocol.TransmissionFlags;
import dev.platter.testkit.Contents;
import dev.platter.testkit.TestBytes;
import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.ValueSource;

/** What an export can do, all its requests together, and many of them at once. */
@Timeout(60)
class NbdExportTest extends FakeServerTestCase {
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
        NbdExport export = open(NbdClientOptions.defaults(), s -> {
            s.open();
            s.next();
        });

        assertThat(export.features().readOnly()).isTrue();
        assertThatThrownBy(() -> export.write(0, ByteBuffer.allocate(512), Durability.NONE))
                .isInstanceOf(ReadOnlyDeviceException.class);
        assertThatThrownBy(() -> export.discardAsync(0, 512)).isInstanceOf(ReadOnlyDeviceException.class);
        export.flush();
    }

    @ParameterizedTest
    @EnumSource(Form.class)
    void allRequestsWorkWithRepliesOfEachForm(Form form) throws Exception {
        NbdClientOptions options = NbdClientOptions.builder()
                .writable(true)
                .extendedHeaders(form == Form.EXTENDED)
                .build();
        NbdExport export = open(options, s -> {
            s.replies = form;
            s.disk = TestBytes.of(0, (int) FakeServer.SIZE);
            s.flags |= TransmissionFlags.SEND_FAST_ZERO;
            if (form == Form.EXTENDED) {
                s.greet();
                s.expect(Options.EXTENDED_HEADERS);
                s.ack(Options.EXTENDED_HEADERS);
                s.agreeOnContexts();
                s.go();
            } else {
                s.open();
            }
            s.serve();
        });
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
}
