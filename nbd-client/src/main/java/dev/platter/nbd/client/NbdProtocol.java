package dev.platter.nbd.client;

import dev.platter.nbd.protocol.ReplyHeader;
import dev.platter.nbd.tls.PeerIdentity;

/**
 * What a client and a server agreed to speak.
 *
 * @param style how the handshake went
 * @param tls whether everything behind it is encrypted
 * @param peer who the server proved to be
 * @param replies form of the replies
 */
public record NbdProtocol(Style style, boolean tls, PeerIdentity peer, ReplyHeader.Form replies) {

    /** The handshakes that there are. */
    public enum Style {
        /** The server has one export, without a name, and no options. */
        OLDSTYLE("oldstyle"),
        /** The client names the export, and nothing else is asked. */
        NEWSTYLE("newstyle"),
        /** Options are asked and answered. */
        FIXED_NEWSTYLE("newstyle-fixed");

        private final String words;

        Style(String words) {
            this.words = words;
        }

        /** Returns the name that {@code nbdinfo} prints. */
        @Override
        public String toString() {
            return words;
        }
    }
}
