package dev.platter.filesystem;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.util.HexFormat;
import org.jspecify.annotations.Nullable;

/** btrfs, by its first superblock; the mirrors further on do not count, as they outlive what was put over them. */
final class BtrfsProbe implements Probe {

    @Override
    public long minimumSize() {
        return 1 << 20;
    }

    @Override
    public @Nullable FileSystem probe(Volume volume) throws IOException {
        ByteBuffer bytes = volume.bytes(BtrfsSuperblock.OFFSET, BtrfsSuperblock.SIZE);
        if (bytes == null || !Fields.has(bytes, BtrfsSuperblock.MAGIC_OFFSET, BtrfsSuperblock.MAGIC)) {
            return null;
        }
        BtrfsSuperblock sb = BtrfsSuperblock.parse(bytes);
        String computed = checksum(sb.checksumType(), bytes);
        String flaw = sb.flaw();
        if (computed != null) {
            String stored = Checksums.hex(bytes.slice(0, computed.length() / 2));
            flaw = stored.equals(computed) ? flaw : "checksum is " + stored + ", computed is " + computed;
        }
        if (flaw != null) {
            return volume.reject(BtrfsSuperblock.OFFSET, "btrfs: superblock at 65536: " + flaw);
        }
        Findings findings = new Findings(volume, "btrfs", BtrfsSuperblock.OFFSET + BtrfsSuperblock.MAGIC_OFFSET);
        if (computed == null) {
            findings.warn(
                    BtrfsSuperblock.OFFSET,
                    "checksum of type " + sb.checksumType() + (sb.checksumType() == 3 ? " (blake2b)" : "")
                            + " is not verified");
        }
        return describe(sb, findings);
    }

    private static FileSystem describe(BtrfsSuperblock sb, Findings findings) {
        findings.label(sb.label())
                .uuid(sb.fsid())
                .blockSize((int) sb.sectorSize())
                .size(sb.totalBytes(), 1)
                .needed(sb.deviceBytes(), 1)
                .used(sb.bytesUsed(), 1);
        if (sb.deviceCount() != 1) {
            findings.warn(
                    BtrfsSuperblock.OFFSET,
                    "is spread over " + Long.toUnsignedString(sb.deviceCount()) + " devices, this is one of them");
        }
        // Bytes in use are counted without copies (DUP, RAID) and reserves, which only the trees tell.
        long free = sb.totalBytes() - sb.bytesUsed();
        if (sb.totalBytes() >= 0 && sb.bytesUsed() >= 0 && free >= 0) {
            findings.usage(new DiskUsage(sb.totalBytes(), free, free, false));
        }
        return findings.build();
    }

    /** The checksum in hex as it should be stored, or null for types that this JDK does not have. */
    private static @Nullable String checksum(int type, ByteBuffer bytes) {
        ByteBuffer covered =
                bytes.slice(BtrfsSuperblock.CHECKSUM_BYTES, BtrfsSuperblock.SIZE - BtrfsSuperblock.CHECKSUM_BYTES);
        return switch (type) {
            case 0 -> littleEndian(Integer.reverseBytes(Checksums.crc32c(covered)) & 0xffff_ffffL, 8);
            case 1 -> littleEndian(Long.reverseBytes(Checksums.xxh64(covered)), 16);
            case 2 -> Checksums.digest("sha256", covered);
            default -> null;
        };
    }

    private static String littleEndian(long reversed, int digits) {
        return HexFormat.of().toHexDigits(reversed, digits);
    }
}
