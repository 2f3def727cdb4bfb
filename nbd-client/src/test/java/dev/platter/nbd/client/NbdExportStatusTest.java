package dev.platter.nbd.client;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.platter.core.Extent;
import dev.platter.nbd.protocol.ChunkTypes;
import dev.platter.nbd.protocol.CommandFlags;
import dev.platter.nbd.protocol.ProtocolException;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/** What a server says of its blocks, as extents and as ranges of a context. */
@Timeout(60)
class NbdExportStatusTest extends FakeServerTestCase {
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
}
