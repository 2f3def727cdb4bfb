package dev.platter.nbd.protocol;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.platter.nbd.protocol.ReplyHeader.Form;
import java.nio.ByteBuffer;
import java.util.HexFormat;
import org.junit.jupiter.api.Test;

class ReplyHeaderTest {
    private final ReplyHeader header = new ReplyHeader();

    @Test
    void a_simple_reply_carries_error_and_cookie() throws Exception {
        ByteBuffer out = ByteBuffer.allocate(ReplyHeader.SIMPLE_BYTES);
        ReplyHeader.putSimple(out, 28, -1);
        assertThat(HexFormat.of().formatHex(out.array())).isEqualTo("67446698" + "0000001c" + "ffffffffffffffff");
        header.take(out.flip());
        assertThat(header.form()).isEqualTo(Form.SIMPLE);
        assertThat(header.error()).isEqualTo(28);
        assertThat(header.isDone()).isTrue();
    }

    @Test
    void a_chunk_tells_flags_from_type() throws Exception {
        ByteBuffer out = ByteBuffer.allocate(ReplyHeader.CHUNK_BYTES);
        ReplyHeader.putChunk(out, ChunkTypes.DONE, ChunkTypes.ERROR_OFFSET, 7, 0x8000_0000);
        assertThat(HexFormat.of().formatHex(out.array()))
                .isEqualTo("668e33ef" + "0001" + "8002" + "0000000000000007" + "80000000");
        header.take(out.flip());
        assertThat(header.form()).isEqualTo(Form.STRUCTURED);
        assertThat(ChunkTypes.isError(header.type())).isTrue();
        assertThat(header.length()).as("not negative").isEqualTo(1L << 31);
    }

    @Test
    void an_extended_chunk_carries_the_offset_of_its_request() throws Exception {
        ByteBuffer out = ByteBuffer.allocate(ReplyHeader.EXTENDED_BYTES);
        ReplyHeader.putExtended(out, 0, ChunkTypes.BLOCK_STATUS_EXT, 7, 1L << 40, 24);
        header.take(out.flip());
        assertThat(header.form()).isEqualTo(Form.EXTENDED);
        assertThat(header.offset()).isEqualTo(1L << 40);
        assertThat(header.length()).isEqualTo(24);
        assertThat(header.isDone()).isFalse();
    }

    @Test
    void the_magics_that_are_reserved_begin_no_reply() {
        for (int magic : new int[] {0x1256_0953, 0x9674_4668, 0x2560_9514, 0}) {
            assertThatThrownBy(() -> ReplyHeader.bytes(magic)).isInstanceOf(ProtocolException.class);
        }
    }
}
