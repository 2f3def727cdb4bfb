package dev.platter.nbd.client;

import dev.platter.core.Printable;
import dev.platter.nbd.protocol.OptionHeader;
import dev.platter.nbd.protocol.OptionReplies;
import dev.platter.nbd.protocol.OptionReplyHeader;
import dev.platter.nbd.protocol.Options;
import dev.platter.nbd.protocol.ProtocolException;
import dev.platter.nbd.protocol.WireText;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.ByteChannel;
import org.jspecify.annotations.Nullable;

/** Asks options and takes the replies to them, as many and as long as a server can need; section "Option haggling". */
final class OptionExchange {
    /** Longest reply; one that is longer is refused before anything is allocated. */
    static final int MOST_REPLY_BYTES = 64 << 10;

    /** What the replies to one option can have together. */
    private static final int MOST_BYTES = 16 << 20;

    private final ByteChannel channel;
    private final WireInput input;

    OptionExchange(ByteChannel channel, WireInput input) {
        this.channel = channel;
        this.input = input;
    }

    /** Takes a reply that is neither the last one nor an error. */
    @FunctionalInterface
    interface ReplyTaker {
        /** Takes the data of a reply. */
        void reply(ByteBuffer data) throws IOException;
    }

    /**
     * A no.
     *
     * @param text what the server says about it; empty if nothing
     */
    record Refusal(int option, int reply, String text) {
        boolean is(int number) {
            return reply == number;
        }

        /** Returns what to throw where the client cannot do without. */
        OptionRefusedException toException(String description, String what) {
            String said = text.isEmpty() ? "" : "; the server says: " + Printable.quote(text);
            return new OptionRefusedException(
                    description + ": " + what + ": " + OptionReplies.describe(reply) + said + advice(), option, reply);
        }

        private String advice() {
            return switch (reply) {
                case OptionReplies.ERR_TLS_REQD -> "; open it as nbds:// or nbds+unix://";
                case OptionReplies.ERR_EXT_HEADER_REQD -> "; ask for extended headers";
                default -> "";
            };
        }
    }

    /** Asks an option that is answered by yes or no. */
    @Nullable
    Refusal ask(int option) throws IOException {
        return ask(option, new byte[0], 0, 0, data -> {});
    }

    /**
     * Asks an option.
     *
     * @param expected the kind of reply that may come before the last one, or 0 if none may
     * @param most how many of these may come
     * @param taker takes each of them
     * @return null for a yes
     * @throws ProtocolException if the server says something else, too much or too often
     */
    @Nullable
    Refusal ask(int option, byte[] data, int expected, int most, ReplyTaker taker) throws IOException {
        send(option, data);
        long bytes = 0;
        for (int count = 0; ; count++) {
            OptionReplyHeader header = OptionReplyHeader.take(input.awaitMessage(OptionReplyHeader.BYTES));
            requireSane(option, header);
            bytes += header.length();
            if (bytes > MOST_BYTES) {
                throw new ProtocolException("the replies to " + Options.name(option) + " are longer than " + MOST_BYTES
                        + " bytes together");
            }
            ByteBuffer reply = input.take((int) header.length());
            if (OptionReplies.isError(header.reply())) {
                if (reply.remaining() > WireText.MAX_BYTES) {
                    throw new ProtocolException(
                            "an error text of " + reply.remaining() + " bytes, which may have " + WireText.MAX_BYTES);
                }
                return new Refusal(option, header.reply(), Printable.utf8(reply));
            }
            if (header.reply() == OptionReplies.ACK) {
                return null;
            }
            if (header.reply() != expected) {
                throw new ProtocolException(
                        OptionReplies.describe(header.reply()) + " in reply to " + Options.name(option));
            }
            if (count == most) {
                throw new ProtocolException("more than " + most + " replies to " + Options.name(option));
            }
            taker.reply(reply);
        }
    }

    /** Sends an option. */
    void send(int option, byte[] data) throws IOException {
        ByteBuffer out = ByteBuffer.allocate(OptionHeader.BYTES + data.length);
        new OptionHeader(option, data.length).put(out);
        Channels.writeAll(channel, out.put(data).flip());
    }

    private static void requireSane(int option, OptionReplyHeader header) throws ProtocolException {
        if (header.option() != option) {
            throw new ProtocolException(
                    "a reply to " + Options.name(header.option()) + ", asked was " + Options.name(option));
        }
        if (header.length() > MOST_REPLY_BYTES) {
            throw new ProtocolException("a reply of " + header.length() + " bytes to " + Options.name(option)
                    + ", which may have " + MOST_REPLY_BYTES);
        }
    }
}
