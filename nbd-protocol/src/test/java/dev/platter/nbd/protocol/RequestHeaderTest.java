package dev.platter.nbd.protocol;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.nio.ByteBuffer;
import java.util.HexFormat;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class RequestHeaderTest {
    private final RequestHeader header = new RequestHeader();

    @Test
    void is_laid_out_as_the_document_says() throws Exception {
        ByteBuffer out = ByteBuffer.allocate(RequestHeader.BYTES);
        header.set(CommandFlags.FUA, Commands.WRITE, 0x1122_3344_5566_7788L, 0x1000, 0x200)
                .put(out, false);
        assertThat(HexFormat.of().formatHex(out.array()))
                .isEqualTo("25609513" + "0001" + "0001" + "1122334455667788" + "0000000000001000" + "00000200");
    }

    @Test
    void the_extended_form_has_a_length_of_64_bits() throws Exception {
        ByteBuffer out = ByteBuffer.allocate(RequestHeader.EXTENDED_BYTES);
        header.set(CommandFlags.FAST_ZERO, Commands.WRITE_ZEROES, 1, 0, 1L << 40)
                .put(out, true);
        assertThat(HexFormat.of().formatHex(out.array()))
                .isEqualTo("21e41c71" + "0010" + "0006" + "0000000000000001" + "0000000000000000" + "0000010000000000");
        RequestHeader read = new RequestHeader();
        read.take(out.flip(), true);
        assertThat(read.length()).isEqualTo(1L << 40);
    }

    @Test
    void flags_are_not_part_of_the_type() throws Exception {
        ByteBuffer out = ByteBuffer.allocate(RequestHeader.BYTES);
        header.set(CommandFlags.DF | CommandFlags.FUA, Commands.READ, 1, 0, 1).put(out, false);
        header.take(out.flip(), false);
        assertThat(header.type()).isEqualTo(Commands.READ);
        assertThat(header.has(CommandFlags.DF)).isTrue();
        assertThat(header.has(CommandFlags.NO_HOLE)).isFalse();
    }

    @ParameterizedTest
    @ValueSource(longs = {Long.MAX_VALUE, Long.MAX_VALUE - 511, 1L << 62, Long.MIN_VALUE, -512, -1})
    void offsets_and_cookies_of_64_bits_survive(long number) throws Exception {
        ByteBuffer out = ByteBuffer.allocate(RequestHeader.BYTES);
        header.set(0, Commands.READ, number, number, 0xffff_ffffL).put(out, false);
        RequestHeader read = new RequestHeader();
        read.take(out.flip(), false);
        assertThat(read.offset()).isEqualTo(number);
        assertThat(read.cookie()).isEqualTo(number);
        assertThat(read.length()).as("not negative").isEqualTo(0xffff_ffffL);
    }

    @Test
    void the_other_form_is_no_request() {
        ByteBuffer out = ByteBuffer.allocate(RequestHeader.EXTENDED_BYTES);
        header.set(0, Commands.READ, 1, 0, 1).put(out, true);
        out.flip();
        assertThatThrownBy(() -> header.take(out, false))
                .isInstanceOf(ProtocolException.class)
                .hasMessage("0x21e41c71 where a request should begin");
    }
}
