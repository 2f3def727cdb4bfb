package dev.platter.nbd.client;

import dev.platter.nbd.protocol.MetaContext;
import java.util.HashSet;
import java.util.List;
import java.util.Set;

/**
 * What a handshake ends with: all that the transmission phase needs to know.
 *
 * @param protocol what is spoken
 * @param details the export
 * @param contexts the metadata contexts that block status reports, with their numbers; at most {@value #MOST_CONTEXTS}
 */
public record Negotiated(NbdProtocol protocol, ExportDetails details, List<MetaContext> contexts) {
    /** The most metadata contexts that an export is asked for. */
    public static final int MOST_CONTEXTS = 64;

    /** Checks what was negotiated. */
    public Negotiated {
        contexts = List.copyOf(contexts);
        Set<Integer> ids = new HashSet<>();
        Set<String> names = new HashSet<>();
        for (MetaContext context : contexts) {
            if (!ids.add(context.id()) || !names.add(context.name())) {
                throw new IllegalArgumentException("contexts: " + context + " is there twice");
            }
        }
        if (contexts.size() > MOST_CONTEXTS) {
            throw new IllegalArgumentException("contexts: " + contexts.size() + " are more than " + MOST_CONTEXTS);
        }
    }

    /** Returns the place of a context in {@link #contexts}, or -1. */
    int indexOf(String context) {
        for (int i = 0; i < contexts.size(); i++) {
            if (contexts.get(i).name().equals(context)) {
                return i;
            }
        }
        return -1;
    }

    /** Returns the place of the context of a number, or -1. */
    int indexOf(int id) {
        for (int i = 0; i < contexts.size(); i++) {
            if (contexts.get(i).id() == id) {
                return i;
            }
        }
        return -1;
    }
}
