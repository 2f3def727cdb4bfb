package dev.platter.nbd.tls;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIOException;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.concurrent.Future;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/** Sessions by a shared key, both sides ours. */
@Timeout(120)
class PskSessionTest {
    private static final String KEYS =
            "alice:00112233445566778899aabbccddeeff\nqemu:ffeeddccbbaa99887766554433221100\n";

    @TempDir
    Path folder;

    private PskCredentials server;
    private PskCredentials client;

    @BeforeEach
    void writeKeys() throws IOException {
        Path file = Files.writeString(folder.resolve("keys.psk"), KEYS);
        server = PskCredentials.server(file);
        client = PskCredentials.client(file, "alice");
    }

    @Test
    void bothSidesLearnWhoseKeyItWas() throws Exception {
        try (TlsPair pair =
                TlsPair.of(client.clientSession(null), server.serverSession()).shaken()) {
            assertThat(pair.server.peer()).isEqualTo(new PeerIdentity(PeerIdentity.Kind.PSK, "alice"));
            assertThat(pair.client.peer()).isEqualTo(new PeerIdentity(PeerIdentity.Kind.PSK, "alice"));
        }
    }

    @Test
    void anIdentityOfAnyLettersIsKept() throws Exception {
        Path file = Files.writeString(folder.resolve("more.psk"), "Zoë , €:0011\n");
        try (TlsPair pair = TlsPair.of(
                        PskCredentials.client(file, "Zoë , €").clientSession("localhost"),
                        PskCredentials.server(file).serverSession())
                .shaken()) {
            assertThat(pair.server.peer().name()).isEqualTo("Zoë , €");
        }
    }

    @Test
    void carriesDataBothWaysAtTheSameTime() throws Exception {
        byte[] sent = new byte[2_000_001];
        for (int i = 0; i < sent.length; i++) {
            sent[i] = (byte) (i / 7);
        }
        try (TlsPair pair =
                TlsPair.of(client.clientSession(null), server.serverSession()).shaken()) {
            Future<Integer> up = pair.background(() -> pair.client.write(ByteBuffer.wrap(sent)));
            Future<Integer> down = pair.background(() -> pair.server.write(ByteBuffer.wrap(sent)));
            Future<byte[]> received = pair.background(() -> readFully(pair.server, sent.length));

            assertThat(readFully(pair.client, sent.length)).isEqualTo(sent);
            assertThat(received.get()).isEqualTo(sent);
            assertThat(up.get() + down.get()).isEqualTo(2 * sent.length);
        }
    }

    @Test
    void worksByteByByteAndInSmallReads() throws Exception {
        Pipes pipes = Pipes.open();
        try (TlsPair pair = TlsPair.over(
                        Pipes.trickling(pipes.one(), 1),
                        Pipes.trickling(pipes.other(), 1),
                        client.clientSession(null),
                        server.serverSession())
                .shaken()) {
            pair.client.write(TlsPair.text("hello"));
            assertThat(TlsPair.read(pair.server, 2)).isEqualTo("he");
            assertThat(TlsPair.read(pair.server, 3)).isEqualTo("llo");
        }
    }

    @Test
    void closeIsHeardAsTheEnd() throws Exception {
        try (TlsPair pair =
                TlsPair.of(client.clientSession(null), server.serverSession()).shaken()) {
            pair.server.write(TlsPair.text("bye"));
            pair.server.close();

            assertThat(TlsPair.read(pair.client, 3)).isEqualTo("bye");
            assertThat(pair.client.read(ByteBuffer.allocate(1))).isEqualTo(-1);
        }
    }

    @Test
    void aConnectionCutOffIsAnError() throws Exception {
        Pipes pipes = Pipes.open();
        try (TlsPair pair = TlsPair.over(pipes.one(), pipes.other(), client.clientSession(null), server.serverSession())
                .shaken()) {
            pipes.one().close();

            assertThatIOException()
                    .isThrownBy(() -> pair.server.read(ByteBuffer.allocate(1)))
                    .withMessageContaining("without close_notify");
        }
    }

    @Test
    void aRecordThatWasTamperedWithIsAnError() throws Exception {
        Pipes pipes = Pipes.open();
        try (TlsPair pair = TlsPair.over(pipes.one(), pipes.other(), client.clientSession(null), server.serverSession())
                .shaken()) {
            pipes.one().write(ByteBuffer.wrap(new byte[] {23, 3, 3, 0, 40}));
            pipes.one().write(ByteBuffer.allocate(40));

            assertThatIOException()
                    .isThrownBy(() -> pair.server.read(ByteBuffer.allocate(1)))
                    .withMessageContaining("bad_record_mac");
            assertThatIOException()
                    .isThrownBy(() -> pair.server.read(ByteBuffer.allocate(1)))
                    .withMessageContaining("failed before");
            pair.server.close();
            assertThatIOException()
                    .isThrownBy(() -> pair.client.read(ByteBuffer.allocate(1)))
                    .withMessageContaining("Received fatal alert: bad_record_mac");
        }
    }

    @Test
    void aRecordThatIsTooLongIsAnError() throws Exception {
        Pipes pipes = Pipes.open();
        try (TlsChannel channel = new TlsChannel(pipes.other(), server.serverSession())) {
            pipes.one().write(ByteBuffer.wrap(new byte[] {22, 3, 1, (byte) 0xff, (byte) 0xff}));

            assertThatIOException().isThrownBy(channel::handshake).withMessageContaining("a record of 65540 bytes");
        }
    }

    @Test
    void aWrongKeyAndAnUnknownUserAreRefusedAlike() throws Exception {
        Path wrong = Files.writeString(folder.resolve("wrong.psk"), "alice:1111\nnobody:1111\n");
        String failure = null;
        for (String user : new String[] {"alice", "nobody"}) {
            PskCredentials other = PskCredentials.client(wrong, user);
            try (TlsPair pair = TlsPair.of(other.clientSession(null), server.serverSession())
                    .shake()) {
                assertThat(pair.serverFailure()).contains("the key of the other side is not the same");
                assertThat(pair.clientFailure()).contains("Received fatal alert");
                failure = failure == null ? pair.clientFailure() : failure;
                assertThat(pair.clientFailure()).isEqualTo(failure);
            }
        }
    }

    @Test
    void aServerWithACertificateInsteadIsRefused() throws Exception {
        TestAuthority authority = TestAuthority.create(folder.resolve("authority"), "Test authority");
        Path directory = authority.directory(folder.resolve("certificates"));
        X509Credentials certificates =
                X509Credentials.server(directory).verifyPeer(false).read();

        try (TlsPair pair = TlsPair.of(client.clientSession("localhost"), certificates.serverSession())
                .shake()) {
            assertThat(pair.clientFailure()).isNotEqualTo("null");
        }
    }

    @Test
    void aClientWithoutAKeyIsRefused() throws Exception {
        TestAuthority authority = TestAuthority.create(folder.resolve("authority"), "Test authority");
        Path directory = authority.directory(folder.resolve("certificates"));
        X509Credentials certificates = X509Credentials.client(directory).read();

        try (TlsPair pair = TlsPair.of(certificates.clientSession("localhost"), server.serverSession())
                .shake()) {
            assertThat(pair.serverFailure()).isNotEqualTo("null");
            assertThat(pair.clientFailure()).isNotEqualTo("null");
            assertThat(pair.server.peer()).isEqualTo(PeerIdentity.ANONYMOUS);
        }
    }

    @Test
    void isHeldToTheRulesOfAuthorization() throws Exception {
        Authorization onlyQemu = new SimpleAuthorization("qemu");
        try (TlsPair pair =
                TlsPair.of(client.clientSession(null), server.serverSession()).shaken()) {
            assertThat(onlyQemu.allows(pair.server.peer(), "disk")).isFalse();
            assertThat(new SimpleAuthorization("alice").allows(pair.server.peer(), "disk"))
                    .isTrue();
        }
    }

    private static byte[] readFully(TlsChannel from, int length) throws IOException {
        ByteBuffer into = ByteBuffer.allocate(length);
        while (into.hasRemaining()) {
            if (from.read(into) < 0) {
                throw new IOException("it ended after " + into.position());
            }
        }
        return into.array();
    }
}
