package dev.platter.nbd.tls;

import dev.platter.nbd.protocol.Commands;
import dev.platter.nbd.protocol.ExportInfo;
import dev.platter.nbd.protocol.HandshakeFlags;
import dev.platter.nbd.protocol.Magic;
import dev.platter.nbd.protocol.NbdError;
import dev.platter.nbd.protocol.OptionHeader;
import dev.platter.nbd.protocol.OptionReplies;
import dev.platter.nbd.protocol.OptionReplyHeader;
import dev.platter.nbd.protocol.Options;
import dev.platter.nbd.protocol.ReplyHeader;
import dev.platter.nbd.protocol.RequestHeader;
import dev.platter.nbd.protocol.TransmissionFlags;
import java.io.EOFException;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.ByteChannel;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;

/** As much of NBD as it takes to begin TLS and to see that both sides understand each other behind it. */
final class Haggling {
    static final long SIZE = 1 << 20;

    /**
     * What a server saw of a client.
     *
     * @param peer who it was
     * @param options what it asked for under TLS
     */
    record Client(PeerIdentity peer, List<Integer> options) {}

    private Haggling() {}

    /** Begins as a client; the channel is closed if that fails. */
    static TlsChannel startTls(ByteChannel channel, TlsSession session) throws IOException {
        TlsChannel secure = new TlsChannel(channel, session);
        try {
            ByteBuffer greeting = read(channel, 18);
            if (greeting.getLong() != Magic.NBD || greeting.getLong() != Magic.OPTION) {
                throw new IOException("no newstyle server");
            }
            int flags = greeting.getShort() & (HandshakeFlags.FIXED_NEWSTYLE | HandshakeFlags.NO_ZEROES);
            write(channel, ByteBuffer.allocate(4).putInt(flags).flip());
            sendOption(channel, Options.STARTTLS);
            OptionReplyHeader reply = OptionReplyHeader.take(read(channel, OptionReplyHeader.BYTES));
            if (reply.reply() != OptionReplies.ACK) {
                throw new IOException("STARTTLS: " + OptionReplies.describe(reply.reply()));
            }
            secure.handshake();
            return secure;
        } catch (IOException e) {
            secure.close();
            throw e;
        }
    }

    /** Asks a server for the names of its exports, and ends the connection in order. */
    static List<String> exports(TlsChannel channel) throws IOException {
        List<String> names = new ArrayList<>();
        try (channel) {
            sendOption(channel, Options.LIST);
            while (true) {
                OptionReplyHeader reply = OptionReplyHeader.take(read(channel, OptionReplyHeader.BYTES));
                ByteBuffer data = read(channel, (int) reply.length());
                if (reply.reply() != OptionReplies.SERVER) {
                    names.add(OptionReplies.describe(reply.reply()));
                    sendOption(channel, Options.ABORT);
                    return names;
                }
                byte[] name = new byte[data.getInt()];
                data.get(name);
                names.add(new String(name, StandardCharsets.UTF_8));
            }
        }
    }

    /** Serves one export of zeros to one client under TLS, until it goes. */
    static Client serve(ByteChannel channel, TlsSession session) throws IOException {
        write(
                channel,
                ByteBuffer.allocate(18)
                        .putLong(Magic.NBD)
                        .putLong(Magic.OPTION)
                        .putShort((short) (HandshakeFlags.FIXED_NEWSTYLE | HandshakeFlags.NO_ZEROES))
                        .flip());
        read(channel, 4);
        OptionHeader option = readOption(channel);
        while (option.option() != Options.STARTTLS) {
            write(channel, OptionReplyHeader.error(option.option(), OptionReplies.ERR_TLS_REQD, "TLS first"));
            option = readOption(channel);
        }
        write(channel, OptionReplyHeader.message(Options.STARTTLS, OptionReplies.ACK, new byte[0]));
        List<Integer> seen = new ArrayList<>();
        try (TlsChannel secure = new TlsChannel(channel, session)) {
            secure.handshake();
            do {
                option = readOption(secure);
                seen.add(option.option());
                answer(secure, option.option());
            } while (option.option() != Options.GO && option.option() != Options.ABORT);
            if (option.option() == Options.GO) {
                transmit(secure);
            }
            return new Client(secure.peer(), seen);
        }
    }

    private static void answer(TlsChannel channel, int option) throws IOException {
        switch (option) {
            case Options.INFO, Options.GO -> {
                byte[] info =
                        new ExportInfo.Export(SIZE, TransmissionFlags.HAS_FLAGS | TransmissionFlags.READ_ONLY).bytes();
                write(channel, OptionReplyHeader.message(option, OptionReplies.INFO, info));
                write(channel, OptionReplyHeader.message(option, OptionReplies.ACK, new byte[0]));
            }
            case Options.ABORT -> write(channel, OptionReplyHeader.message(option, OptionReplies.ACK, new byte[0]));
            default -> write(channel, OptionReplyHeader.error(option, OptionReplies.ERR_UNSUP, ""));
        }
    }

    private static void transmit(TlsChannel channel) throws IOException {
        RequestHeader request = new RequestHeader();
        while (true) {
            request.take(read(channel, RequestHeader.BYTES), false);
            if (request.type() == Commands.DISC) {
                return;
            }
            boolean isRead = request.type() == Commands.READ;
            ByteBuffer reply = ByteBuffer.allocate(ReplyHeader.SIMPLE_BYTES + (isRead ? (int) request.length() : 0));
            ReplyHeader.putSimple(reply, isRead ? 0 : NbdError.EINVAL.number(), request.cookie());
            write(channel, reply.clear());
        }
    }

    private static void sendOption(ByteChannel channel, int option) throws IOException {
        ByteBuffer out = ByteBuffer.allocate(OptionHeader.BYTES);
        new OptionHeader(option, 0).put(out);
        write(channel, out.flip());
    }

    private static OptionHeader readOption(ByteChannel channel) throws IOException {
        OptionHeader option = OptionHeader.take(read(channel, OptionHeader.BYTES));
        read(channel, (int) option.length());
        return option;
    }

    private static ByteBuffer read(ByteChannel channel, int bytes) throws IOException {
        ByteBuffer into = ByteBuffer.allocate(bytes);
        while (into.hasRemaining()) {
            if (channel.read(into) < 0) {
                throw new EOFException("it ended where " + into.remaining() + " bytes more should be");
            }
        }
        return into.flip();
    }

    private static void write(ByteChannel channel, ByteBuffer from) throws IOException {
        while (from.hasRemaining()) {
            channel.write(from);
        }
    }
}
