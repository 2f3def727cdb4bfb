package dev.platter.nbd.client;

import dev.platter.core.Printable;
import dev.platter.nbd.protocol.OptionReplies;
import java.io.IOException;

/** A server said no to what was asked of it during the handshake: there is no such export, TLS is needed, and the like. */
public final class OptionRefusedException extends IOException {
    private static final long serialVersionUID = 1;

    private final int option;
    private final int reply;

    OptionRefusedException(String message, int option, int reply) {
        super(Printable.escape(message));
        this.option = option;
        this.reply = reply;
    }

    /** Returns which of {@link dev.platter.nbd.protocol.Options} was refused. */
    public int option() {
        return option;
    }

    /** Returns the answer, one of {@link OptionReplies} or any other error. */
    public int reply() {
        return reply;
    }
}
