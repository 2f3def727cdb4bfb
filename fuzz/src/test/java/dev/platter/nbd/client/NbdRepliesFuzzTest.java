package dev.platter.nbd.client;

import com.code_intelligence.jazzer.junit.FuzzTest;
import dev.platter.nbd.protocol.MetaContext;
import dev.platter.nbd.protocol.ReplyHeader.Form;
import dev.platter.nbd.protocol.RequestHeader;
import dev.platter.nbd.protocol.TransmissionFlags;
import dev.platter.nbd.tls.PeerIdentity;
import dev.platter.testkit.Promises;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.time.Duration;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionException;

/**
 * What a server replies to a read, a discard and a status query, all on their way at once. The first byte of the input
 * chooses the form of replies; the others are what the server says.
 */
class NbdRepliesFuzzTest {
    private static final List<Form> FORMS = List.of(Form.SIMPLE, Form.STRUCTURED, Form.EXTENDED);

    private static final NbdClientOptions OPTIONS = NbdClientOptions.builder()
            .requestTimeout(Duration.ZERO)
            .writable(true)
            .completions(Runnable::run)
            .build();

    private static final ExportDetails DETAILS = new ExportDetails(
            "x",
            "",
            1 << 20,
            TransmissionFlags.HAS_FLAGS | TransmissionFlags.SEND_FLUSH | TransmissionFlags.SEND_TRIM,
            null,
            List.of("base:allocation"));

    @FuzzTest
    void everyReplyEndsInBytesOrInWords(byte[] input) {
        if (input.length == 0) {
            return;
        }
        Form form = FORMS.get(Math.floorMod(input[0], FORMS.size()));
        ByteBuffer said = ByteBuffer.wrap(input, 1, input.length - 1);
        Promises.ofMetadata(input.length).check(() -> ask(form, said.slice()));
    }

    private static void ask(Form form, ByteBuffer said) {
        boolean extended = form == Form.EXTENDED;
        int wanted = (form == Form.SIMPLE ? 2 : 3) * RequestHeader.bytes(extended);
        Negotiated negotiated = new Negotiated(
                new NbdProtocol(NbdProtocol.Style.FIXED_NEWSTYLE, false, PeerIdentity.ANONYMOUS, form),
                DETAILS,
                form == Form.SIMPLE ? List.of() : List.of(new MetaContext(7, "base:allocation")));
        try (NbdExport export = NbdClient.attach(new Said(said, wanted), negotiated, OPTIONS)) {
            CompletableFuture<Void> read = export.readAsync(0, ByteBuffer.allocate(4096));
            CompletableFuture<Void> discard = export.discardAsync(4096, 4096);
            if (form != Form.SIMPLE) {
                export.extents(0, 1 << 20, (at, run, facts, depth, below, belowOffset) -> false);
            }
            read.join();
            discard.join();
        } catch (IOException | CompletionException e) {
            Promises.requireShowable(e.getMessage());
        }
    }
}
