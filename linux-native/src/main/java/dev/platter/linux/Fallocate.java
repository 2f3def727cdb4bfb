package dev.platter.linux;

/** Modes of fallocate(2). Source: linux/falloc.h. */
final class Fallocate {
    static final int KEEP_SIZE = 1;
    static final int PUNCH_HOLE = 2;
    static final int ZERO_RANGE = 0x10;

    private Fallocate() {}
}
