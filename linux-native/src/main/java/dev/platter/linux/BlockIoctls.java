package dev.platter.linux;

import com.sun.jna.Memory;
import com.sun.jna.Pointer;

/** Requests of block devices, the same on x86_64 and aarch64. Source: linux/fs.h, linux/blkpg.h. */
final class BlockIoctls {
    static final long BLKPG = 0x1269;
    static final long BLKSSZGET = 0x1268;
    static final long BLKPBSZGET = 0x127B;
    static final long BLKGETSIZE64 = 0x80081272L;
    static final long BLKDISCARD = 0x1277;
    static final long BLKZEROOUT = 0x127F;

    static final int BLKPG_ADD_PARTITION = 1;
    static final int BLKPG_DEL_PARTITION = 2;

    /** {@code struct blkpg_ioctl_arg}: operation, flags, length of the data, their address. */
    static final int BLKPG_BYTES = 24;

    static final int BLKPG_DATALEN = 8;
    static final int BLKPG_DATA = 16;

    /** {@code struct blkpg_partition}. */
    static final int PARTITION_BYTES = 152;

    static final int PARTITION_LENGTH = 8;
    static final int PARTITION_NUMBER = 16;

    private BlockIoctls() {}

    /** Adds or deletes a partition; its range is ignored by the latter. */
    static void changePartition(Descriptor device, String what, int operation, int number, long start, long length)
            throws SystemCallException {
        Memory partition = new Memory(PARTITION_BYTES);
        partition.clear();
        partition.setLong(0, start);
        partition.setLong(PARTITION_LENGTH, length);
        partition.setInt(PARTITION_NUMBER, number);
        Memory request = new Memory(BLKPG_BYTES);
        request.clear();
        request.setInt(0, operation);
        request.setInt(BLKPG_DATALEN, PARTITION_BYTES);
        request.setPointer(BLKPG_DATA, partition);
        try {
            device.ioctl(what, BLKPG, request);
        } finally {
            // the kernel reads it through a pointer that the collector does not see
            java.lang.ref.Reference.reachabilityFence(partition);
        }
    }

    static int intOf(Descriptor device, String what, long request) throws SystemCallException {
        Memory value = new Memory(Integer.BYTES);
        device.ioctl(what, request, value);
        return value.getInt(0);
    }

    static long longOf(Descriptor device, String what, long request) throws SystemCallException {
        Memory value = new Memory(Long.BYTES);
        device.ioctl(what, request, value);
        return value.getLong(0);
    }

    static Pointer range(long offset, long length) {
        Memory range = new Memory(2L * Long.BYTES);
        range.setLong(0, offset);
        range.setLong(Long.BYTES, length);
        return range;
    }
}
