/**
 * TLS for NBD as bytes to bytes: sessions that turn plain bytes into records and back, by certificates or by a shared key,
 * and a channel that lays one over any {@link java.nio.channels.ByteChannel}.
 */
@NullMarked
package dev.platter.nbd.tls;

import org.jspecify.annotations.NullMarked;
