package dev.platter.nbd.tls;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIOException;
import static org.assertj.core.api.Assertions.assertThatIllegalStateException;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.platter.testkit.CountingAllocation;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.ByteChannel;
import java.nio.channels.ClosedChannelException;
import java.nio.channels.IllegalBlockingModeException;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/** How the channel drives a session; the session here is a simple one. */
@Timeout(60)
class TlsChannelTest {
    private final ExecutorService threads = Executors.newCachedThreadPool();
    private ByteChannel peer;
    private Pipes.Tap tap;
    private TlsChannel channel;

    @BeforeEach
    void open() throws IOException {
        Pipes pipes = Pipes.open();
        peer = pipes.other();
        tap = new Pipes.Tap(pipes.one());
        channel = new TlsChannel(tap, new ScriptedSession());
        channel.handshake();
    }

    @AfterEach
    void close() throws IOException {
        threads.shutdownNow();
        channel.close();
        peer.close();
    }

    @Test
    void readsWhatIsInARecordInPieces() throws IOException {
        send(3, 'a', 'b', 'c');

        assertThat(TlsPair.read(channel, 2)).isEqualTo("ab");
        assertThat(TlsPair.read(channel, 1)).isEqualTo("c");
    }

    @Test
    void readsALargeBufferWithoutACopyBetween() throws IOException {
        send(2, 'a', 'b', 1, 'c');
        ByteBuffer into =
                ByteBuffer.allocateDirect(ScriptedSession.MAX_PLAIN + 5).position(5);

        assertThat(channel.read(into)).isEqualTo(2);
        assertThat(into.position()).isEqualTo(7);
        assertThat((char) into.get(6)).isEqualTo('b');
    }

    @Test
    void readsNothingIntoNoRoom() throws IOException {
        assertThat(channel.read(ByteBuffer.allocate(0))).isZero();
    }

    @Test
    void passesOverRecordsWithoutData() throws IOException {
        send(0, 0, 0, 1, 'x');

        assertThat(TlsPair.read(channel, 1)).isEqualTo("x");
    }

    @Test
    void endsAtCloseNotifyAgainAndAgain() throws IOException {
        send(1, 'x', ScriptedSession.CLOSE_NOTIFY);

        assertThat(TlsPair.read(channel, 5)).isEqualTo("x");
        assertThat(channel.read(ByteBuffer.allocate(1))).isEqualTo(-1);
        assertThat(channel.read(ByteBuffer.allocate(1000))).isEqualTo(-1);
    }

    @Test
    void anEndWithoutCloseNotifyIsAnError() throws IOException {
        send(1, 'x');
        peer.close();

        assertThat(TlsPair.read(channel, 1)).isEqualTo("x");
        assertThatIOException()
                .isThrownBy(() -> channel.read(ByteBuffer.allocate(1)))
                .withMessageContaining("without close_notify");
    }

    @Test
    void anEndInsideARecordIsAnError() throws IOException {
        send(5, 'x');
        peer.close();

        assertThatIOException()
                .isThrownBy(() -> channel.read(ByteBuffer.allocate(1)))
                .withMessageContaining("cut off");
    }

    @Test
    void anErrorStays() throws IOException {
        send(ScriptedSession.FORGED, 1, 'x', ScriptedSession.CLOSE_NOTIFY);

        assertThatIOException()
                .isThrownBy(() -> channel.read(ByteBuffer.allocate(1)))
                .withMessage("forged");
        assertThatIOException()
                .isThrownBy(() -> channel.read(ByteBuffer.allocate(1)))
                .withMessageContaining("failed before: forged");
        assertThatIOException()
                .isThrownBy(() -> channel.write(ByteBuffer.allocate(1)))
                .withMessageContaining("failed before");
    }

    @Test
    void endlessEmptyRecordsAreAnError() throws IOException {
        send(new int[1000]);

        assertThatIOException()
                .isThrownBy(() -> channel.read(ByteBuffer.allocate(1)))
                .withMessageContaining("without data again and again");
    }

    @Test
    void endlessRequestsAreAnErrorAlsoBetweenData() throws IOException {
        int[] flood = new int[300];
        for (int i = 0; i < flood.length; i += 3) {
            flood[i] = ScriptedSession.REQUEST;
            flood[i + 1] = 1;
        }
        send(flood);

        assertThatIOException()
                .isThrownBy(() -> TlsPair.read(channel, 100))
                .withMessageContaining("asks for new keys again and again");
    }

    @Test
    void anAnswerGoesInFrontOfTheNextData() throws IOException {
        send(ScriptedSession.REQUEST, 1, 'x');

        assertThat(TlsPair.read(channel, 1)).isEqualTo("x");
        assertThat(tap.writes()).isZero();

        channel.write(TlsPair.text("y"));

        assertThat(tap.last()).isEqualTo(ByteBuffer.wrap(new byte[] {(byte) ScriptedSession.REQUEST, 1, 'y'}));
    }

    @Test
    void answersThatWereSentAreForgotten() throws IOException {
        for (int i = 0; i < 100; i++) {
            send(ScriptedSession.REQUEST, 1, 'x');
            assertThat(TlsPair.read(channel, 1)).isEqualTo("x");
            channel.write(TlsPair.text("y"));
            peer.read(ByteBuffer.allocate(3));
        }
    }

    @Test
    void writesAllInAsManyRecordsAsItTakes() throws IOException {
        ByteBuffer data = ByteBuffer.allocate(350);

        assertThat(channel.write(data)).isEqualTo(350);
        assertThat(data.hasRemaining()).isFalse();

        ByteBuffer records = ByteBuffer.allocate(354);
        while (records.hasRemaining()) {
            peer.read(records);
        }
        assertThat(records.get(0)).isEqualTo((byte) 100);
        assertThat(records.get(303)).isEqualTo((byte) 50);
    }

    @Test
    void gathersHeaderAndDataInOneWriteBelow() throws IOException {
        long written = channel.write(new ByteBuffer[] {TlsPair.text("head"), TlsPair.text("data")});

        assertThat(written).isEqualTo(8);
        assertThat(tap.writes()).isEqualTo(1);
        assertThat(tap.last().remaining()).isEqualTo(10);
    }

    @Test
    void readsAndWritesAtTheSameTime() throws Exception {
        Future<Integer> reading = threads.submit(() -> channel.read(ByteBuffer.allocate(1)));

        channel.write(TlsPair.text("question"));
        send(1, 'a');

        assertThat(reading.get()).isEqualTo(1);
    }

    @Test
    void closeSaysCloseNotifyAndClosesBelow() throws IOException {
        channel.close();

        assertThat(tap.last()).isEqualTo(ByteBuffer.wrap(new byte[] {(byte) ScriptedSession.CLOSE_NOTIFY}));
        assertThat(tap.isOpen()).isFalse();
        assertThat(channel.isOpen()).isFalse();
        assertThatThrownBy(() -> channel.read(ByteBuffer.allocate(1))).isInstanceOf(ClosedChannelException.class);
    }

    @Test
    void closeTwiceSaysItOnce() throws IOException {
        channel.close();
        channel.close();

        assertThat(tap.writes()).isEqualTo(1);
    }

    @Test
    void closeSucceedsWhereNobodyIsThereAnyMore() throws IOException {
        peer.close();

        channel.close();

        assertThat(channel.isOpen()).isFalse();
    }

    @Test
    void closeEndsAReadInAnotherThread() throws Exception {
        Future<Integer> reading = threads.submit(() -> channel.read(ByteBuffer.allocate(1)));

        channel.close();

        assertThat(TlsPair.failureOf(reading)).isInstanceOf(IOException.class);
    }

    @Test
    void closeEndsAWriteThatNobodyReads() throws Exception {
        Future<Integer> writing = threads.submit(() -> channel.write(ByteBuffer.allocate(10 << 20)));
        while (tap.writes() < 10) {
            Thread.onSpinWait();
        }

        channel.close();

        assertThat(TlsPair.failureOf(writing)).isInstanceOf(IOException.class);
    }

    @Test
    void nothingGoesBeforeTheHandshake() throws IOException {
        try (TlsChannel early = new TlsChannel(Pipes.open().one(), new ScriptedSession())) {
            assertThatIllegalStateException().isThrownBy(() -> early.read(ByteBuffer.allocate(1)));
            assertThatIllegalStateException().isThrownBy(() -> early.write(ByteBuffer.allocate(1)));
        }
    }

    @Test
    void theHandshakeIsOnce() {
        assertThatIllegalStateException().isThrownBy(channel::handshake);
    }

    @Test
    void anEndlessHandshakeIsAnError() throws IOException {
        try (TlsChannel endless = new TlsChannel(tap, new ScriptedSession(() -> TlsSession.Status.OK))) {
            assertThatIOException().isThrownBy(endless::handshake).withMessageContaining("does not come to an end");
        }
    }

    @Test
    void anEndDuringTheHandshakeIsAnError() throws IOException {
        peer.close();
        try (TlsChannel lonely = new TlsChannel(tap, new ScriptedSession(() -> TlsSession.Status.NEEDS_RECORDS))) {
            assertThatIOException()
                    .isThrownBy(lonely::handshake)
                    .withMessage("TLS handshake failed: the other side closed the connection");
        }
    }

    @Test
    void dataDuringTheHandshakeIsAnError() throws IOException {
        send(1, 'x');
        try (TlsChannel early = new TlsChannel(tap, new ScriptedSession(() -> TlsSession.Status.NEEDS_RECORDS))) {
            assertThatIOException().isThrownBy(early::handshake).withMessageContaining("sends data already");
        }
    }

    @Test
    void aChannelThatDoesNotBlockIsRefused() {
        ByteChannel silent = new ByteChannel() {
            @Override
            public int read(ByteBuffer into) {
                return 0;
            }

            @Override
            public int write(ByteBuffer from) {
                return 0;
            }

            @Override
            public boolean isOpen() {
                return true;
            }

            @Override
            public void close() {}
        };
        TlsChannel over = new TlsChannel(silent, new ScriptedSession(() -> TlsSession.Status.NEEDS_RECORDS));

        assertThatThrownBy(over::handshake).isInstanceOf(IllegalBlockingModeException.class);
    }

    @Test
    void allocatesNothingPerReadAndWrite() throws Exception {
        Pipes pipes = Pipes.open();
        TlsChannel near = new TlsChannel(pipes.one(), new ScriptedSession());
        near.handshake();
        ByteBuffer question = ByteBuffer.allocateDirect(28);
        ByteBuffer record = ByteBuffer.allocateDirect(29);
        ByteBuffer answer = ByteBuffer.allocateDirect(16);
        ByteBuffer[] both = {question, answer};
        CountingAllocation.Action round = () -> {
            near.write(question.clear());
            pipes.other().read(record.clear());
            pipes.other().write(record.flip());
            int heard = 0;
            while (heard < 28) {
                heard += near.read(answer.clear());
            }
            near.write(both, 0, 0);
        };
        for (int i = 0; i < 20_000; i++) {
            round.run();
        }

        long bytes = CountingAllocation.of(() -> {
            for (int i = 0; i < 1000; i++) {
                round.run();
            }
        });

        assertThat(bytes).isLessThan(1000);
        near.close();
        pipes.other().close();
    }

    private void send(int... bytes) throws IOException {
        byte[] record = new byte[bytes.length];
        for (int i = 0; i < bytes.length; i++) {
            record[i] = (byte) bytes[i];
        }
        ByteBuffer out = ByteBuffer.wrap(record);
        while (out.hasRemaining()) {
            peer.write(out);
        }
    }
}
