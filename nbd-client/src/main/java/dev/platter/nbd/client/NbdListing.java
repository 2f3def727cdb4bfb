package dev.platter.nbd.client;

import java.util.List;

/**
 * What a server has.
 *
 * @param protocol what was agreed on to ask
 * @param exports in the order of the server
 */
public record NbdListing(NbdProtocol protocol, List<NbdServerExport> exports) {

    /** Makes a listing. */
    public NbdListing {
        exports = List.copyOf(exports);
    }
}
