package dev.platter.nbd.protocol;

import dev.platter.core.Printable;
import java.io.IOException;

/**
 * The other side does not keep to the protocol. The connection cannot go on, unless a method says otherwise. Control
 * characters in the message are escaped.
 */
public class ProtocolException extends IOException {
    private static final long serialVersionUID = 1;

    /** Makes an exception with a message for a person. */
    public ProtocolException(String message) {
        super(Printable.escape(message));
    }
}
