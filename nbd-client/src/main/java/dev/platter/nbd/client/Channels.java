package dev.platter.nbd.client;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.ByteChannel;
import java.nio.channels.Channel;
import java.nio.channels.SocketChannel;

/** What is done to the channels below a connection. */
final class Channels {

    private Channels() {}

    /** Returns a channel that no interrupt of a writer closes, if that can be had. */
    static ByteChannel steady(ByteChannel channel) throws IOException {
        return channel instanceof SocketChannel socket ? SocketStream.of(socket) : channel;
    }

    /** Writes all of a buffer. */
    static void writeAll(ByteChannel channel, ByteBuffer bytes) throws IOException {
        while (bytes.hasRemaining()) {
            channel.write(bytes);
        }
    }

    /** Closes a channel of which nothing more is expected. */
    static void closeQuietly(Channel channel) {
        try {
            channel.close();
        } catch (IOException e) {
            System.getLogger(Channels.class.getName()).log(System.Logger.Level.DEBUG, "closing", e);
        }
    }
}
