/**
 * Serves {@linkplain dev.platter.core.BlockDevice devices} over NBD, to any client. Start at {@link
 * dev.platter.nbd.server.NbdServer}.
 */
@NullMarked
package dev.platter.nbd.server;

import org.jspecify.annotations.NullMarked;
