package dev.platter.linux;

/**
 * The part of the FUSE protocol that one file needs. Offsets in requests count from the request's first byte, those in replies
 * from the reply's. Source: linux/fuse.h, version 7.31.
 */
final class FuseProtocol {
    static final int MAJOR = 7;
    static final int MINOR = 31;

    /** {@code struct fuse_in_header}. */
    static final int IN_HEADER = 40;

    static final int IN_OPCODE = 4;
    static final int IN_UNIQUE = 8;

    /** {@code struct fuse_out_header}. */
    static final int OUT_HEADER = 16;

    static final int OUT_ERROR = 4;
    static final int OUT_UNIQUE = 8;

    static final int FORGET = 2;
    static final int GETATTR = 3;
    static final int SETATTR = 4;
    static final int OPEN = 14;
    static final int READ = 15;
    static final int WRITE = 16;
    static final int STATFS = 17;
    static final int RELEASE = 18;
    static final int FSYNC = 20;
    static final int FLUSH = 25;
    static final int INIT = 26;
    static final int INTERRUPT = 36;
    static final int DESTROY = 38;
    static final int BATCH_FORGET = 42;
    static final int FALLOCATE = 43;
    static final int LSEEK = 46;

    static final int INIT_MINOR = 44;
    static final int INIT_READAHEAD = 48;
    static final int INIT_FLAGS = 52;

    /** {@code struct fuse_init_out}. */
    static final int INIT_OUT = 64;

    static final int INIT_OUT_READAHEAD = 8;
    static final int INIT_OUT_FLAGS = 12;
    static final int INIT_OUT_BACKGROUND = 16;
    static final int INIT_OUT_CONGESTION = 18;
    static final int INIT_OUT_WRITE = 20;
    static final int INIT_OUT_TIME = 24;
    static final int INIT_OUT_PAGES = 28;

    static final int ASYNC_READ = 1;
    static final int BIG_WRITES = 0x20;
    static final int ASYNC_DIO = 0x8000;
    static final int MAX_PAGES = 0x400000;

    static final int SETATTR_VALID = 40;
    static final int SETATTR_SIZE = 56;
    static final int FATTR_SIZE = 8;

    /** {@code struct fuse_attr_out}. */
    static final int ATTR_OUT = 104;

    static final int ATTR_INO = 16;
    static final int ATTR_SIZE = 24;
    static final int ATTR_BLOCKS = 32;
    static final int ATTR_MODE = 76;
    static final int ATTR_NLINK = 80;
    static final int ATTR_BLKSIZE = 96;

    /** {@code struct fuse_open_out}. */
    static final int OPEN_OUT = 16;

    static final int OPEN_FLAGS = 8;

    static final int FOPEN_DIRECT_IO = 1;

    /** {@code struct fuse_read_in} and {@code struct fuse_write_in} begin alike. */
    static final int IO_OFFSET = 48;

    static final int IO_SIZE = 56;
    static final int WRITE_DATA = 80;
    static final int WRITE_OUT = 8;

    static final int FALLOCATE_OFFSET = 48;
    static final int FALLOCATE_LENGTH = 56;
    static final int FALLOCATE_MODE = 64;

    static final int LSEEK_OFFSET = 48;
    static final int LSEEK_WHENCE = 56;

    /** {@code struct fuse_statfs_out}. */
    static final int STATFS_OUT = 80;

    private FuseProtocol() {}
}
