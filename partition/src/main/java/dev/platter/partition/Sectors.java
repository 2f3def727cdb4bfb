package dev.platter.partition;

import dev.platter.core.BlockDevice;
import dev.platter.core.Bounds;
import java.io.IOException;
import java.io.InterruptedIOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.channels.ClosedChannelException;
import org.jspecify.annotations.Nullable;

/** A disk counted in logical sectors. What cannot be read is a finding, so that the rest of the table can be shown. */
final class Sectors {
    private final BlockDevice disk;
    private final int sectorSize;
    private final Findings findings;

    Sectors(BlockDevice disk, int sectorSize, Findings findings) {
        this.disk = disk;
        this.sectorSize = sectorSize;
        this.findings = findings;
    }

    int sectorSize() {
        return sectorSize;
    }

    /** Returns the number of whole sectors. */
    long count() {
        return disk.size() / sectorSize;
    }

    /** Returns the byte offset of a sector, or -1 if it is none that a disk can have. */
    long offset(long lba) {
        return lba < 0 || lba > Long.MAX_VALUE / sectorSize ? -1 : lba * sectorSize;
    }

    /**
     * Reads from the beginning of a sector.
     *
     * @param what what is read, the beginning of the warning if that fails
     * @param length bytes, checked by the caller to be few; they may cover several sectors, or a part of one
     * @return the bytes, little-endian, or null if they are beyond the end or cannot be read: a finding says so
     * @throws IOException if the disk was closed, or the thread interrupted
     */
    @Nullable
    ByteBuffer tryRead(String what, long lba, int length) throws IOException {
        long offset = offset(lba);
        if (!Bounds.inside(offset, length, disk.size())) {
            findings.add(
                    offset,
                    what + ": sector " + Long.toUnsignedString(lba) + " lies beyond the end of the disk (" + count()
                            + " sectors of " + sectorSize + ")");
            return null;
        }
        try {
            return read(disk, offset, length);
        } catch (ClosedChannelException | InterruptedIOException e) {
            throw e;
        } catch (IOException e) {
            findings.add(offset, what + ": cannot be read: " + e.getMessage());
            return null;
        }
    }

    /** Reads bytes, little-endian. */
    static ByteBuffer read(BlockDevice disk, long offset, int length) throws IOException {
        ByteBuffer bytes = ByteBuffer.allocate(length).order(ByteOrder.LITTLE_ENDIAN);
        disk.read(offset, bytes);
        return bytes.flip();
    }
}
