package dev.platter.nbd.client;

import dev.platter.core.BlockIOException;
import dev.platter.nbd.protocol.ProtocolException;
import java.io.IOException;
import java.nio.channels.AsynchronousCloseException;

/** The connection ended before the reply to a request was complete. Callers of the library see its {@link #reason}. */
final class ConnectionLostException extends IOException {
    private static final long serialVersionUID = 1;

    private final IOException ending;
    private final boolean sent;

    /**
     * Makes the exception of one request.
     *
     * @param ending what ended the connection
     * @param sent whether the server may have seen the request
     */
    ConnectionLostException(IOException ending, boolean sent) {
        super(ending.getMessage(), ending);
        this.ending = ending;
        this.sent = sent;
    }

    /** Returns whether the server may have seen the request, and done it. */
    boolean isSent() {
        return sent;
    }

    /** Returns whether the server broke the protocol: then it is not asked again. */
    boolean isServersFault() {
        return ending instanceof ProtocolException;
    }

    /** Returns a new exception that says the same as what ended the connection, for the thread that asked. */
    IOException reason() {
        return copyOf(ending);
    }

    /** Returns an exception of the same kind and message, with a stack of its own. */
    static IOException copyOf(IOException ending) {
        if (ending instanceof BlockIOException failure) {
            return new BlockIOException(failure.kind(), String.valueOf(failure.getMessage()), failure);
        }
        IOException copy = ending instanceof ProtocolException
                ? new ProtocolException(String.valueOf(ending.getMessage()))
                : new AsynchronousCloseException();
        copy.initCause(ending);
        return copy;
    }
}
