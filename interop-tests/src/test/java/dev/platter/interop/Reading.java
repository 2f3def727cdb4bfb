package dev.platter.interop;

import dev.platter.core.BlockDevice;
import dev.platter.core.Extents;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.HexFormat;

/** Reads whole devices, a piece at a time. */
final class Reading {
    /** An odd step, so that requests lie across clusters, extents and chunks. */
    private static final int STEP = (1 << 20) + 511;

    private Reading() {}

    /** Returns the SHA-256 of all bytes of a device. */
    static String sha256(BlockDevice device) throws IOException {
        return sha256(device, 0, device.size());
    }

    static String sha256(BlockDevice device, long offset, long length) throws IOException {
        MessageDigest digest = digest();
        ByteBuffer buffer = ByteBuffer.allocate((int) Math.min(STEP, length));
        for (long done = 0; done < length; done += buffer.limit()) {
            buffer.clear().limit((int) Math.min(buffer.capacity(), length - done));
            device.read(offset + done, buffer);
            digest.update(buffer.flip());
        }
        return HexFormat.of().formatHex(digest.digest());
    }

    /** Reads everything that is not known to be zero, as a copy of a sparse disk does. */
    static void all(BlockDevice device) throws IOException {
        ByteBuffer buffer = ByteBuffer.allocate(STEP);
        Extents.forEach(device, 0, device.size(), extent -> {
            for (long at = extent.offset(); !extent.readsAsZero() && at < extent.end(); at += buffer.limit()) {
                buffer.clear().limit((int) Math.min(STEP, extent.end() - at));
                device.read(at, buffer);
            }
            return true;
        });
    }

    private static MessageDigest digest() {
        try {
            return MessageDigest.getInstance("SHA-256");
        } catch (NoSuchAlgorithmException e) {
            throw new AssertionError("every JVM has SHA-256", e);
        }
    }
}
