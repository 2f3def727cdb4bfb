/**
 * The client's side of NBD: exports of other hosts as {@link dev.platter.core.BlockDevice}s. Start at {@link
 * dev.platter.nbd.client.NbdClient}, which opens an {@link dev.platter.nbd.client.NbdExport}. Package-private: {@code
 * Handshake} (what is agreed on), {@code Connection} (requests on their way), {@code ReplyReader} (what comes back, and
 * whether it adds up).
 */
@NullMarked
package dev.platter.nbd.client;

import org.jspecify.annotations.NullMarked;
