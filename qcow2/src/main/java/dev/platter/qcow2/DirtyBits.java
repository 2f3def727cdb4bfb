package dev.platter.qcow2;

import java.lang.invoke.MethodHandles;
import java.lang.invoke.VarHandle;
import java.nio.ByteBuffer;
import java.util.concurrent.atomic.AtomicInteger;
import org.jspecify.annotations.Nullable;

/**
 * Bits of a bitmap that were set since it was last stored, a page where there are any. Safe for many threads that set bits;
 * whoever reads them makes sure that what has to be seen happened before.
 */
final class DirtyBits {
    private static final VarHandle PAGE = MethodHandles.arrayElementVarHandle(long[][].class);
    private static final VarHandle WORD = MethodHandles.arrayElementVarHandle(long[].class);

    /** 4 KiB of them: clusters of a bitmap are pages, or whole pages are parts of a cluster. */
    private static final int PAGE_BITS = 15;

    private static final int PAGE_WORDS = 1 << (PAGE_BITS - 6);

    private final long[] @Nullable [] pages;
    private final AtomicInteger used = new AtomicInteger();

    /** @param bits how many there are */
    DirtyBits(long bits) {
        pages = new long[(int) Qcow2Check.clustersOf(bits, PAGE_BITS)][];
    }

    /** Sets bits from {@code first} to before {@code last}. */
    void set(long first, long last) {
        for (long at = first; at < last; ) {
            long wordEnd = Math.min(last, (at | 63) + 1);
            long mask = (-1L >>> (64 - (int) (wordEnd - at))) << at;
            long[] page = page((int) (at >>> PAGE_BITS));
            int word = (int) (at >>> 6) & (PAGE_WORDS - 1);
            // most writes go where others went before, and a read is shared by all processors
            if (((long) WORD.getOpaque(page, word) & mask) != mask) {
                WORD.getAndBitwiseOr(page, word, mask);
            }
            at = wordEnd;
        }
    }

    private long[] page(int index) {
        long[] page = (long[]) PAGE.getAcquire(pages, index);
        if (page != null) {
            return page;
        }
        long[] fresh = new long[PAGE_WORDS];
        long[] other = (long[]) PAGE.compareAndExchange(pages, index, null, fresh);
        if (other != null) {
            return other;
        }
        used.incrementAndGet();
        return fresh;
    }

    /** Returns how many pages of 4 KiB of memory there are. */
    int usedPages() {
        return used.get();
    }

    /** Returns whether a bit is set in a range that begins and ends with whole words, or with the set. */
    boolean hasAny(long first, long last) {
        for (long at = first; at < last; at += 64) {
            long[] page = (long[]) PAGE.getAcquire(pages, (int) (at >>> PAGE_BITS));
            if (page == null) {
                at = lastWordOfPage(at);
            } else if ((long) WORD.getOpaque(page, (int) (at >>> 6) & (PAGE_WORDS - 1)) != 0) {
                return true;
            }
        }
        return false;
    }

    /** Adds bits from {@code first} to before {@code last} to those in {@code data}, which begins with {@code first}. */
    void addTo(ByteBuffer data, long first, long last) {
        for (long at = first; at < last; at += 64) {
            long[] page = (long[]) PAGE.getAcquire(pages, (int) (at >>> PAGE_BITS));
            if (page == null) {
                at = lastWordOfPage(at);
                continue;
            }
            long bits = (long) WORD.getOpaque(page, (int) (at >>> 6) & (PAGE_WORDS - 1));
            if (bits != 0) {
                int place = (int) ((at - first) >>> 3);
                data.putLong(place, data.getLong(place) | bits);
            }
        }
    }

    private static long lastWordOfPage(long bit) {
        return (bit | ((1 << PAGE_BITS) - 1)) - 63;
    }

    /** Adds all bits of another set of the same size. */
    void addAll(DirtyBits other) {
        for (int i = 0; i < other.pages.length; i++) {
            long[] from = (long[]) PAGE.getAcquire(other.pages, i);
            for (int word = 0; from != null && word < PAGE_WORDS; word++) {
                long bits = (long) WORD.getOpaque(from, word);
                if (bits != 0) {
                    WORD.getAndBitwiseOr(page(i), word, bits);
                }
            }
        }
    }
}
