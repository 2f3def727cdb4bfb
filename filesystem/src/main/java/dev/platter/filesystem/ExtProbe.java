package dev.platter.filesystem;

import java.io.IOException;
import java.nio.ByteBuffer;
import org.jspecify.annotations.Nullable;

/** ext2, ext3, ext4, ext4dev, and jbd, the external journal of one of them. */
final class ExtProbe implements Probe {

    @Override
    public @Nullable FileSystem probe(Volume volume) throws IOException {
        ByteBuffer bytes = volume.bytesUpTo(ExtSuperblock.OFFSET, ExtSuperblock.SIZE);
        int magicEnd = ExtSuperblock.MAGIC_OFFSET + 2;
        if (bytes == null
                || bytes.limit() < magicEnd
                || Fields.u16(bytes, ExtSuperblock.MAGIC_OFFSET) != ExtSuperblock.MAGIC) {
            return null;
        }
        if (bytes.limit() < ExtSuperblock.SIZE) {
            return volume.reject(
                    ExtSuperblock.OFFSET, "ext: superblock at 1024 is cut off after " + bytes.limit() + " bytes");
        }
        ExtSuperblock sb = ExtSuperblock.parse(bytes);
        String flaw = sb.flaw();
        if (flaw != null) {
            return volume.reject(ExtSuperblock.OFFSET, sb.type() + ": superblock at 1024: " + flaw);
        }
        return describe(volume, sb);
    }

    private static FileSystem describe(Volume volume, ExtSuperblock sb) throws IOException {
        Findings findings = new Findings(volume, sb.type(), ExtSuperblock.OFFSET + ExtSuperblock.MAGIC_OFFSET)
                .label(sb.label())
                .uuid(sb.uuid())
                .version(sb.revision() + "." + sb.minorRevision())
                .blockSize(sb.blockSize())
                .size(sb.blocks(), sb.blockSize());
        if (sb.type().equals("jbd")) {
            return findings.build();
        }
        findings.state(sb.isClean()).free(sb.freeBlocks(), sb.blockSize());
        if (sb.revision() > 0 && (sb.inodeSize() < 128 || sb.inodeSize() > sb.blockSize())) {
            findings.warn(
                    ExtSuperblock.OFFSET, "inode size is " + sb.inodeSize() + ", allowed are 128.." + sb.blockSize());
        }
        ExtUsage usage = new ExtUsage(volume, sb);
        String nonsense = usage.nonsense();
        if (nonsense == null) {
            findings.usage(usage.usage());
        } else {
            findings.warn(ExtSuperblock.OFFSET, nonsense);
        }
        return findings.build();
    }
}
