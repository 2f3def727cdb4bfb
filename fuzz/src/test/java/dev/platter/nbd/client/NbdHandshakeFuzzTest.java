package dev.platter.nbd.client;

import com.code_intelligence.jazzer.junit.FuzzTest;
import dev.platter.testkit.Promises;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.time.Duration;

/** All that a server says until an export is open, or its exports are listed; the input is that. */
class NbdHandshakeFuzzTest {
    private static final NbdClientOptions OPTIONS = NbdClientOptions.builder()
            .handshakeTimeout(Duration.ZERO)
            .oldstyle(true)
            .build();

    @FuzzTest
    void everyHandshakeEndsInAnExportOrInWords(byte[] said) {
        Promises.ofMetadata(said.length).check(() -> {
            attempt(() -> handshake(said).open("x"));
            attempt(() -> handshake(said).list());
        });
    }

    private static Handshake handshake(byte[] said) {
        return new Handshake(new Said(ByteBuffer.wrap(said), 0), new Requirements("fuzz", null), OPTIONS);
    }

    private static void attempt(Promises.Reading handshake) {
        try {
            handshake.read();
        } catch (IOException e) {
            Promises.requireShowable(e.getMessage());
        }
    }
}
