package dev.platter.nbd.client;

import dev.platter.nbd.protocol.BlockSizes;
import dev.platter.nbd.protocol.ChunkTypes;
import dev.platter.nbd.protocol.CommandFlags;
import dev.platter.nbd.protocol.Commands;
import dev.platter.nbd.protocol.ExportInfo;
import dev.platter.nbd.protocol.HandshakeFlags;
import dev.platter.nbd.protocol.Magic;
import dev.platter.nbd.protocol.MetaContext;
import dev.platter.nbd.protocol.NbdError;
import dev.platter.nbd.protocol.OptionHeader;
import dev.platter.nbd.protocol.OptionReplies;
import dev.platter.nbd.protocol.OptionReplyHeader;
import dev.platter.nbd.protocol.Options;
import dev.platter.nbd.protocol.ReplyHeader;
import dev.platter.nbd.protocol.RequestHeader;
import dev.platter.nbd.protocol.TransmissionFlags;
import java.io.Closeable;
import java.io.EOFException;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.ByteChannel;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import org.jspecify.annotations.Nullable;

/**
 * A server that does what a script says, byte for byte, in a thread of its own. What it does not break itself it does as
 * the protocol demands; {@link #serve} is an honest disk in memory.
 */
final class FakeServer implements Closeable {
    static final long SIZE = 1 << 20;
    static final int CONTEXT = 7;
    static final int FLAGS = TransmissionFlags.HAS_FLAGS
            | TransmissionFlags.SEND_FLUSH
            | TransmissionFlags.SEND_FUA
            | TransmissionFlags.SEND_TRIM
            | TransmissionFlags.SEND_WRITE_ZEROES
            | TransmissionFlags.SEND_DF
            | TransmissionFlags.SEND_CACHE;

    /** Guards against tests that never end. */
    private static final int HANG_SECONDS = 60;

    final ByteChannel channel;
    final ByteChannel client;
    final RequestHeader request = new RequestHeader();
    final List<String> options = Collections.synchronizedList(new ArrayList<>());
    final List<String> log = Collections.synchronizedList(new ArrayList<>());
    final CountDownLatch gone = new CountDownLatch(1);

    long size = SIZE;
    int flags = FLAGS;

    @Nullable
    BlockSizes sizes = new BlockSizes(1, 4096, 32 << 20);

    ReplyHeader.Form replies = ReplyHeader.Form.STRUCTURED;
    byte[] disk = new byte[0];

    private final Thread thread;
    private volatile @Nullable Throwable failure;

    /** What a server does. */
    @FunctionalInterface
    interface Script {
        /** Does it; ends when the client hangs up. */
        void run(FakeServer server) throws Exception;
    }

    /** Begins a script at the other end of a line in memory. */
    FakeServer(Script script) {
        this(MemoryChannel.pair(8 << 20), script);
    }

    /** Begins a script at one end of a line. */
    FakeServer(ByteChannel[] ends, Script script) {
        this(ends[0], ends[1], script);
    }

    /** Begins a script on a channel to a client. */
    FakeServer(ByteChannel channel, ByteChannel client, Script script) {
        this.channel = channel;
        this.client = client;
        thread = new Thread(() -> run(script), "fake server");
        thread.setDaemon(true);
        thread.start();
    }

    private void run(Script script) {
        try {
            script.run(this);
        } catch (IOException e) {
            // the client hung up, as it should
            options.add("ended: " + e);
        } catch (Exception | AssertionError e) {
            failure = e;
        } finally {
            gone.countDown();
            try {
                channel.close();
            } catch (IOException e) {
                options.add("closing: " + e);
            }
        }
    }

    /** Waits until the script is over, and tells what it found. */
    void join() throws Exception {
        if (!gone.await(HANG_SECONDS, TimeUnit.SECONDS)) {
            throw new AssertionError("the client does not hang up; so far: " + options + log);
        }
        Throwable found = failure;
        if (found != null) {
            throw new AssertionError("in the server: " + found, found);
        }
    }

    @Override
    public void close() throws IOException {
        channel.close();
    }

    // Bytes.

    void send(ByteBuffer bytes) throws IOException {
        Channels.writeAll(channel, bytes);
    }

    /** Sends numbers, each as long as its type. */
    void send(Object... numbers) throws IOException {
        send(bytes(numbers));
    }

    private static ByteBuffer bytes(Object... numbers) {
        int length = 0;
        for (Object number : numbers) {
            length += number instanceof byte[] many ? many.length : Long.BYTES;
        }
        ByteBuffer out = ByteBuffer.allocate(length);
        for (Object number : numbers) {
            if (number instanceof Long wide) {
                out.putLong(wide);
            } else if (number instanceof Integer word) {
                out.putInt(word);
            } else if (number instanceof Short half) {
                out.putShort(half);
            } else {
                out.put((byte[]) number);
            }
        }
        return out.flip();
    }

    ByteBuffer receive(int count) throws IOException {
        ByteBuffer bytes = ByteBuffer.allocate(count);
        while (bytes.hasRemaining()) {
            if (channel.read(bytes) < 0) {
                throw new EOFException("the client hung up");
            }
        }
        return bytes.flip();
    }

    /** Reads until the client hangs up. */
    void awaitEnd() throws IOException {
        while (true) {
            receive(1);
        }
    }

    // Handshake.

    void greet() throws IOException {
        greet(HandshakeFlags.FIXED_NEWSTYLE | HandshakeFlags.NO_ZEROES);
    }

    /** Greets, and returns the flags of the client. */
    int greet(int handshakeFlags) throws IOException {
        send(Magic.NBD, Magic.OPTION, (short) handshakeFlags);
        return receive(4).getInt();
    }

    /** Receives an option, which has to be that one; returns its data. */
    ByteBuffer expect(int option) throws IOException {
        OptionHeader header = OptionHeader.take(receive(OptionHeader.BYTES));
        options.add(Options.name(header.option()));
        if (header.option() != option) {
            throw new AssertionError(Options.name(header.option()) + " instead of " + Options.name(option));
        }
        return receive((int) header.length());
    }

    void reply(int option, int reply, byte... data) throws IOException {
        send(OptionReplyHeader.message(option, reply, data));
    }

    void refuse(int option, int error, String text) throws IOException {
        send(OptionReplyHeader.error(option, error, text));
    }

    void ack(int option) throws IOException {
        reply(option, OptionReplies.ACK);
    }

    void info(int option, ExportInfo info) throws IOException {
        reply(option, OptionReplies.INFO, info.bytes());
    }

    /** Answers what comes before GO. */
    void agree() throws IOException {
        greet();
        expect(Options.STRUCTURED_REPLY);
        if (replies == ReplyHeader.Form.SIMPLE) {
            refuse(Options.STRUCTURED_REPLY, OptionReplies.ERR_UNSUP, "");
            return;
        }
        ack(Options.STRUCTURED_REPLY);
        agreeOnContexts();
    }

    void agreeOnContexts() throws IOException {
        expect(Options.LIST_META_CONTEXT);
        reply(Options.LIST_META_CONTEXT, OptionReplies.META_CONTEXT, new MetaContext(0, "base:allocation").bytes());
        ack(Options.LIST_META_CONTEXT);
        setContexts();
    }

    void setContexts() throws IOException {
        expect(Options.SET_META_CONTEXT);
        reply(
                Options.SET_META_CONTEXT,
                OptionReplies.META_CONTEXT,
                new MetaContext(CONTEXT, "base:allocation").bytes());
        ack(Options.SET_META_CONTEXT);
    }

    void go() throws IOException {
        expect(Options.GO);
        info(Options.GO, new ExportInfo.Export(size, flags));
        BlockSizes stated = sizes;
        if (stated != null) {
            info(Options.GO, new ExportInfo.Sizes(stated));
        }
        ack(Options.GO);
    }

    /** Does a whole handshake. */
    void open() throws IOException {
        agree();
        go();
    }

    // Transmission.

    boolean isExtended() {
        return replies == ReplyHeader.Form.EXTENDED;
    }

    /** Receives a request; the data of a write are still to be received. */
    RequestHeader next() throws IOException {
        request.take(receive(RequestHeader.bytes(isExtended())), isExtended());
        log.add(request.toString() + (request.flags() == 0 ? "" : " flags " + request.flags()));
        return request;
    }

    void simple(int error, long cookie) throws IOException {
        ByteBuffer out = ByteBuffer.allocate(ReplyHeader.SIMPLE_BYTES);
        ReplyHeader.putSimple(out, error, cookie);
        send(out.flip());
    }

    /** Sends a chunk of numbers, as {@link #send(Object...)} takes them. */
    void chunk(boolean done, int type, long cookie, Object... payload) throws IOException {
        ByteBuffer data = bytes(payload);
        header(done, type, cookie, data.remaining());
        send(data);
    }

    /** Sends the header of a chunk alone. */
    void header(boolean done, int type, long cookie, long length) throws IOException {
        ByteBuffer out = ByteBuffer.allocate(ReplyHeader.EXTENDED_BYTES);
        if (isExtended()) {
            ReplyHeader.putExtended(out, done ? ChunkTypes.DONE : 0, type, cookie, request.offset(), length);
        } else {
            ReplyHeader.putChunk(out, done ? ChunkTypes.DONE : 0, type, cookie, (int) length);
        }
        send(out.flip());
    }

    /** Serves {@link #disk} until the client says goodbye. */
    void serve() throws IOException {
        while (true) {
            next();
            if (request.type() == Commands.DISC) {
                return;
            }
            answer();
        }
    }

    /** Answers a request as it should be. */
    void answer() throws IOException {
        int at = (int) request.offset();
        int length = (int) request.length();
        switch (request.type()) {
            case Commands.READ -> {
                byte[] bytes = new byte[length];
                System.arraycopy(disk, at, bytes, 0, length);
                if (replies == ReplyHeader.Form.SIMPLE) {
                    simple(0, request.cookie());
                    send(ByteBuffer.wrap(bytes));
                } else {
                    chunk(true, ChunkTypes.OFFSET_DATA, request.cookie(), request.offset(), bytes);
                }
                return;
            }
            case Commands.WRITE -> receive(length).get(disk, at, length);
            case Commands.WRITE_ZEROES -> {
                if ((request.flags() & CommandFlags.FAST_ZERO) != 0) {
                    fail(NbdError.ENOTSUP);
                    return;
                }
                java.util.Arrays.fill(disk, at, at + length, (byte) 0);
            }
            case Commands.BLOCK_STATUS -> {
                if (isExtended()) {
                    chunk(true, ChunkTypes.BLOCK_STATUS_EXT, request.cookie(), CONTEXT, 1, request.length(), 0L);
                } else {
                    chunk(true, ChunkTypes.BLOCK_STATUS, request.cookie(), CONTEXT, length, 0);
                }
                return;
            }
            default -> {
                // nothing to do, and it succeeds
            }
        }
        succeed();
    }

    void succeed() throws IOException {
        if (replies == ReplyHeader.Form.EXTENDED) {
            chunk(true, ChunkTypes.NONE, request.cookie());
        } else {
            simple(0, request.cookie());
        }
    }

    void fail(NbdError error) throws IOException {
        if (replies == ReplyHeader.Form.SIMPLE) {
            simple(error.number(), request.cookie());
        } else {
            chunk(true, ChunkTypes.ERROR, request.cookie(), error.number(), (short) 0);
        }
    }
}
