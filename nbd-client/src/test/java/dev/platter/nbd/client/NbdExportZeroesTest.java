package dev.platter.nbd.client;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.platter.core.Durability;
import dev.platter.core.NotFasterException;
import dev.platter.core.ZeroMode;
import dev.platter.nbd.protocol.CommandFlags;
import dev.platter.nbd.protocol.NbdError;
import dev.platter.nbd.protocol.TransmissionFlags;
import dev.platter.testkit.Contents;
import dev.platter.testkit.TestBytes;
import java.nio.ByteBuffer;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/** What becomes of zeroing, discarding and durability on the wire, and without the help of the server. */
@Timeout(60)
class NbdExportZeroesTest extends FakeServerTestCase {
    private static final int FUA = CommandFlags.FUA;
    private static final int NO_HOLE = CommandFlags.NO_HOLE;
    private static final int FAST_ZERO = CommandFlags.FAST_ZERO;

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
}
