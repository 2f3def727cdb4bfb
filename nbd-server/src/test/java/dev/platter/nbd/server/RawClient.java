package dev.platter.nbd.server;

import dev.platter.nbd.protocol.HandshakeFlags;
import dev.platter.nbd.protocol.OptionHeader;
import dev.platter.nbd.protocol.OptionReplies;
import dev.platter.nbd.protocol.OptionReplyHeader;
import dev.platter.nbd.protocol.Options;
import dev.platter.nbd.protocol.ReplyHeader;
import dev.platter.nbd.protocol.RequestHeader;
import dev.platter.nbd.tls.TlsChannel;
import dev.platter.nbd.tls.TlsSession;
import java.io.Closeable;
import java.io.EOFException;
import java.io.IOException;
import java.net.SocketAddress;
import java.nio.ByteBuffer;
import java.nio.channels.ByteChannel;
import java.nio.channels.SocketChannel;
import java.util.ArrayList;
import java.util.List;

/** A client that sends what a test wants, right or wrong, and shows what comes back. */
final class RawClient implements Closeable {
    private final SocketChannel socket;
    private final ByteChannel channel;

    /** A reply to an option. */
    record OptionReply(int option, int reply, ByteBuffer data) {}

    /** A reply to a request, or a chunk of one. */
    record Reply(ReplyHeader header, ByteBuffer payload) {}

    private RawClient(SocketChannel socket, ByteChannel channel) {
        this.socket = socket;
        this.channel = channel;
    }

    static RawClient connect(SocketAddress address) throws IOException {
        SocketChannel socket = SocketChannel.open(address);
        return new RawClient(socket, socket);
    }

    /** Connects and says the flags that every client of today says. */
    static RawClient greet(NbdServer server) throws IOException {
        RawClient client = connect(server.addresses().get(0));
        client.take(18);
        client.send(ByteBuffer.allocate(4)
                .putInt(HandshakeFlags.FIXED_NEWSTYLE | HandshakeFlags.NO_ZEROES)
                .flip());
        return client;
    }

    SocketChannel channel() {
        return socket;
    }

    /** Asks for TLS and goes over to it; from then on this client is to be left alone. */
    RawClient secure(TlsSession session) throws IOException {
        if (ask(Options.STARTTLS) != OptionReplies.ACK) {
            throw new IOException("the server refuses TLS");
        }
        TlsChannel tls = new TlsChannel(socket, session);
        tls.handshake();
        return new RawClient(socket, tls);
    }

    void send(ByteBuffer bytes) throws IOException {
        while (bytes.hasRemaining()) {
            channel.write(bytes);
        }
    }

    /** Waits for that many bytes. */
    ByteBuffer take(int bytes) throws IOException {
        ByteBuffer into = ByteBuffer.allocate(bytes);
        while (into.hasRemaining()) {
            if (channel.read(into) < 0) {
                throw new EOFException("the server hung up");
            }
        }
        return into.flip();
    }

    /** Returns whether the server hung up, with nothing more to say. */
    boolean isHungUp() throws IOException {
        try {
            return channel.read(ByteBuffer.allocate(1)) < 0;
        } catch (java.net.SocketException e) {
            return true; // with a reset: there were bytes that the server did not take
        } catch (IOException e) {
            return String.valueOf(e.getMessage()).contains("reset");
        }
    }

    void sendOption(int option, byte... data) throws IOException {
        ByteBuffer out = ByteBuffer.allocate(OptionHeader.BYTES + data.length);
        new OptionHeader(option, data.length).put(out);
        send(out.put(data).flip());
    }

    OptionReply takeOptionReply() throws IOException {
        OptionReplyHeader header = OptionReplyHeader.take(take(OptionReplyHeader.BYTES));
        return new OptionReply(header.option(), header.reply(), take((int) header.length()));
    }

    /** Sends an option; returns its replies, the last of which is an acknowledgement or an error. */
    List<OptionReply> option(int option, byte... data) throws IOException {
        sendOption(option, data);
        List<OptionReply> replies = new ArrayList<>();
        while (true) {
            OptionReply reply = takeOptionReply();
            replies.add(reply);
            if (reply.reply() == OptionReplies.ACK || OptionReplies.isError(reply.reply())) {
                return replies;
            }
        }
    }

    /** Sends an option; returns how it ended. */
    int ask(int option, byte... data) throws IOException {
        List<OptionReply> replies = option(option, data);
        return replies.get(replies.size() - 1).reply();
    }

    void request(int flags, int type, long cookie, long offset, long length) throws IOException {
        request(false, flags, type, cookie, offset, length);
    }

    void request(boolean extended, int flags, int type, long cookie, long offset, long length) throws IOException {
        ByteBuffer out = ByteBuffer.allocate(RequestHeader.bytes(extended));
        new RequestHeader().set(flags, type, cookie, offset, length).put(out, extended);
        send(out.flip());
    }

    /** Takes a reply. The contents of simple ones have to be taken by themselves. */
    Reply reply() throws IOException {
        ByteBuffer start = take(ReplyHeader.SIMPLE_BYTES);
        int more = ReplyHeader.bytes(start.getInt(0)) - ReplyHeader.SIMPLE_BYTES;
        ByteBuffer whole = ByteBuffer.allocate(ReplyHeader.SIMPLE_BYTES + more).put(start);
        if (more > 0) {
            whole.put(take(more));
        }
        ReplyHeader header = new ReplyHeader();
        header.take(whole.flip());
        return new Reply(header, take((int) header.length()));
    }

    @Override
    public void close() throws IOException {
        channel.close();
    }
}
