package dev.platter.nbd.protocol;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.nio.ByteBuffer;
import java.util.HexFormat;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** The values of the handshake: what is written is read again, and what lies about its lengths is refused. */
class HandshakeMessagesTest {

    private static ByteBuffer hex(String text) {
        return ByteBuffer.wrap(HexFormat.of().parseHex(text.replace(" ", "")));
    }

    @Test
    void export_queries_come_back_as_they_were() throws Exception {
        for (ExportQuery query : List.of(
                new ExportQuery(""),
                new ExportQuery("größe/€/𝄞", InfoTypes.BLOCK_SIZE, InfoTypes.NAME),
                new ExportQuery("x".repeat(4096), 0xffff))) {
            assertThat(ExportQuery.take(ByteBuffer.wrap(query.bytes()))).isEqualTo(query);
        }
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "",
                "00000000",
                "00000005 61 0000",
                "ffffffff 0000",
                "80000000 0000",
                "00000000 0001",
                "00000000 0000 00",
                "00000001 00 0000",
                "00000001 ff 0000",
                "00000002 c080 0000",
                "00000003 eda080 0000"
            })
    void export_queries_that_lie_are_refused(String data) {
        assertThatThrownBy(() -> ExportQuery.take(hex(data))).isInstanceOf(ProtocolException.class);
    }

    @Test
    void names_of_more_than_4096_bytes_are_refused() {
        ByteBuffer data = ByteBuffer.allocate(4 + 4097 + 2).putInt(4097).clear();
        assertThatThrownBy(() -> ExportQuery.take(data))
                .hasMessage("export name of 4097 bytes is longer than 4096 bytes");
        assertThatThrownBy(() -> new ExportQuery("é".repeat(2049)).bytes())
                .isInstanceOf(IllegalArgumentException.class);
    }

    @Test
    void context_queries_come_back_as_they_were() throws Exception {
        MetaContextQuery query = new MetaContextQuery("disk", List.of("base:allocation", "qemu:dirty-bitmap:ü"));
        assertThat(MetaContextQuery.take(ByteBuffer.wrap(query.bytes()))).isEqualTo(query);
        MetaContextQuery empty = new MetaContextQuery("", List.of());
        assertThat(MetaContextQuery.take(ByteBuffer.wrap(empty.bytes()))).isEqualTo(empty);
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "",
                "00000000",
                "00000000 ffffffff",
                "00000000 00000001",
                "00000000 00000001 00000005 61",
                "00000000 00000002 00000001 61"
            })
    void context_queries_that_lie_are_refused(String data) {
        assertThatThrownBy(() -> MetaContextQuery.take(hex(data))).isInstanceOf(ProtocolException.class);
    }

    @Test
    void every_piece_of_information_comes_back_as_it_was() throws Exception {
        for (ExportInfo info : List.of(
                new ExportInfo.Export(Long.MAX_VALUE, 0xffff),
                new ExportInfo.Name("disk"),
                new ExportInfo.Description("a disk\nof two lines"),
                new ExportInfo.Sizes(new BlockSizes(512, 65536, 0xffff_ffffL)),
                new ExportInfo.Unknown(0x1234))) {
            assertThat(ExportInfo.take(ByteBuffer.wrap(info.bytes()))).isEqualTo(info);
        }
    }

    @Test
    void sizes_of_2_to_the_63_and_more_are_refused() {
        assertThatThrownBy(() -> ExportInfo.take(hex("0000 8000000000000000 0001")))
                .hasMessageStartingWith("an export of 9223372036854775808 bytes is larger than any disk can be");
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "0000 00000000 00000000 00",
                "0000 0000000000000000 0001 00",
                "0003 00000001 00001000",
                "0003 00000000 00001000 02000000",
                "0003 00000bb8 00001000 02000000",
                "0003 00100000 00100000 02000000",
                "0003 00001000 00000200 02000000",
                "0003 00001000 00001000 00000800",
                "00"
            })
    void information_of_a_wrong_length_or_against_the_rules_is_refused(String data) {
        assertThatThrownBy(() -> ExportInfo.take(hex(data))).isInstanceOf(ProtocolException.class);
    }

    @Test
    void listed_exports_come_back_as_they_were() throws Exception {
        ListedExport export = new ListedExport("disk", "what it is");
        assertThat(ListedExport.take(ByteBuffer.wrap(export.bytes()))).isEqualTo(export);
        assertThatThrownBy(() -> ListedExport.take(hex("00000009 61"))).isInstanceOf(ProtocolException.class);
    }

    @Test
    void contexts_come_back_as_they_were() throws Exception {
        MetaContext context = new MetaContext(-1, "base:allocation");
        assertThat(MetaContext.take(ByteBuffer.wrap(context.bytes()))).isEqualTo(context);
    }

    @Test
    void option_replies_with_too_long_a_text_are_cut() throws Exception {
        ByteBuffer reply = OptionReplyHeader.error(Options.GO, OptionReplies.ERR_UNKNOWN, "€".repeat(5000));
        OptionReplyHeader header = OptionReplyHeader.take(reply);
        assertThat(header.length()).isLessThanOrEqualTo(4096).isEqualTo(reply.remaining());
        assertThat(WireText.take(reply, reply.remaining(), "text")).startsWith("€€");
    }

    @Test
    void queries_match_names_namespaces_and_the_beginning_of_bitmaps() {
        assertThat(MetaContexts.matches("base:allocation", "base:allocation")).isTrue();
        assertThat(MetaContexts.matches("base:", "base:allocation")).isTrue();
        assertThat(MetaContexts.matches("qemu:dirty-bitmap:", "qemu:dirty-bitmap:b0"))
                .isTrue();
        assertThat(MetaContexts.matches("qemu:dirty", "qemu:dirty-bitmap:b0")).isFalse();
        assertThat(MetaContexts.matches("base", "base:allocation")).isFalse();
        assertThat(MetaContexts.matches("qemu:dirty-bitmap:b:", "qemu:dirty-bitmap:b:c"))
                .isFalse();
    }

    @Test
    void flags_are_named_as_qemu_nbd_names_them() {
        assertThat(TransmissionFlags.describe(0xced)).isEqualTo("flush fua trim zeroes df cache fast-zero");
    }

    @Test
    void error_numbers_that_nobody_knows_are_invalid_arguments() {
        assertThat(NbdError.of(28)).isEqualTo(NbdError.ENOSPC);
        assertThat(NbdError.of(0)).isEqualTo(NbdError.EINVAL);
        assertThat(NbdError.of(-1)).isEqualTo(NbdError.EINVAL);
    }
}
