/**
 * The wire of the Network Block Device protocol, as the document "The NBD protocol" (NetworkBlockDevice/nbd, doc/proto.md,
 * with the branch extension-ext-header) lays it down: numbers, messages as values, and codecs over {@link
 * java.nio.ByteBuffer}s. Nothing here opens, reads or closes anything, so client, server, tests and fuzzers share it.
 *
 * <p>All numbers on the wire are big-endian; every buffer given must be. Section names in the Javadoc are those of the
 * document.
 */
@NullMarked
package dev.platter.nbd.protocol;

import org.jspecify.annotations.NullMarked;
