package dev.platter.lvm;

import com.google.common.hash.Hasher;
import com.google.common.hash.Hashing;
import dev.platter.core.BlockDevice;
import java.io.IOException;
import java.nio.ByteBuffer;

/** The SHA-256 of a device. */
final class Sha256 {
    private Sha256() {}

    static String of(BlockDevice device) throws IOException {
        Hasher hasher = Hashing.sha256().newHasher();
        // an odd step, so that requests lie across segments and chunks
        ByteBuffer buffer = ByteBuffer.allocate((1 << 20) + 511);
        for (long at = 0; at < device.size(); at += buffer.limit()) {
            buffer.clear().limit((int) Math.min(buffer.capacity(), device.size() - at));
            device.read(at, buffer);
            hasher.putBytes(buffer.flip());
        }
        return hasher.hash().toString();
    }
}
