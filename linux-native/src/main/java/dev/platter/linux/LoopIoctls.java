package dev.platter.linux;

import com.sun.jna.Memory;

/** Requests of loop devices and what they carry, the same on x86_64 and aarch64. Source: linux/loop.h, linux/major.h. */
final class LoopIoctls {
    static final long LOOP_SET_FD = 0x4C00;
    static final long LOOP_CLR_FD = 0x4C01;
    static final long LOOP_SET_STATUS64 = 0x4C04;
    static final long LOOP_GET_STATUS64 = 0x4C05;
    static final long LOOP_SET_DIRECT_IO = 0x4C08;
    static final long LOOP_SET_BLOCK_SIZE = 0x4C09;
    static final long LOOP_CONFIGURE = 0x4C0A;
    static final long LOOP_CTL_GET_FREE = 0x4C82;

    static final int LO_FLAGS_READ_ONLY = 1;
    static final int LO_FLAGS_AUTOCLEAR = 4;
    static final int LO_FLAGS_PARTSCAN = 8;
    static final int LO_FLAGS_DIRECT_IO = 16;

    /** {@code struct loop_info64}. */
    static final int INFO_BYTES = 232;

    static final int LO_DEVICE = 0;
    static final int LO_INODE = 8;
    static final int LO_OFFSET = 24;
    static final int LO_SIZELIMIT = 32;
    static final int LO_FLAGS = 52;
    static final int LO_FILE_NAME = 56;
    static final int LO_NAME_SIZE = 64;

    /** {@code struct loop_config}: descriptor, block size, then a {@code loop_info64}. */
    static final int CONFIG_BYTES = 304;

    static final int CONFIG_BLOCK_SIZE = 4;
    static final int CONFIG_INFO = 8;

    private LoopIoctls() {}

    static Memory config(int file, LoopOptions options, byte[] name) {
        Memory config = new Memory(CONFIG_BYTES);
        config.clear();
        config.setInt(0, file);
        config.setInt(CONFIG_BLOCK_SIZE, options.blockSize());
        int flags = statusFlags(options)
                | (options.readOnly() ? LO_FLAGS_READ_ONLY : 0)
                | (options.directIo() ? LO_FLAGS_DIRECT_IO : 0);
        putInfo(config, CONFIG_INFO, options, flags, name);
        return config;
    }

    /** For the call that knows only two of the flags. */
    static Memory info(LoopOptions options, byte[] name) {
        Memory info = new Memory(INFO_BYTES);
        info.clear();
        putInfo(info, 0, options, statusFlags(options), name);
        return info;
    }

    private static int statusFlags(LoopOptions options) {
        return (options.autoclear() ? LO_FLAGS_AUTOCLEAR : 0) | (options.partitionScan() ? LO_FLAGS_PARTSCAN : 0);
    }

    private static void putInfo(Memory into, int at, LoopOptions options, int flags, byte[] name) {
        into.setLong(at + LO_OFFSET, options.offset());
        into.setLong(at + LO_SIZELIMIT, options.sizeLimit());
        into.setInt(at + LO_FLAGS, flags);
        into.write(at + LO_FILE_NAME, name, 0, Math.min(name.length, LO_NAME_SIZE - 1));
    }
}
