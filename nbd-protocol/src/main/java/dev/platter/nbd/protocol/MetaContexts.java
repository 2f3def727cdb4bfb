package dev.platter.nbd.protocol;

/** The metadata contexts that Platter knows, and their status flags; section "Metadata querying". */
public final class MetaContexts {
    /** What is allocated and what reads as zeros. */
    public static final String BASE_ALLOCATION = "base:allocation";

    /** Which layer of a chain of images decides: 0 none, 1 the top one, 2 its backing file ... */
    public static final String ALLOCATION_DEPTH = "qemu:allocation-depth";

    /** Begins the context of a dirty bitmap, whose name follows. */
    public static final String DIRTY_BITMAP = "qemu:dirty-bitmap:";

    /** Of {@link #BASE_ALLOCATION}: nothing is allocated here; a write may run out of space. */
    public static final int STATE_HOLE = 1;

    /** Of {@link #BASE_ALLOCATION}: every byte reads as zero. */
    public static final int STATE_ZERO = 2;

    /** Of a dirty bitmap: changed since the bitmap was made or cleared. */
    public static final int STATE_DIRTY = 1;

    private MetaContexts() {}

    /**
     * Returns whether a query of {@link Options#LIST_META_CONTEXT} means a context: its very name, or its namespace with
     * nothing, or only the beginning {@code dirty-bitmap:}, behind it.
     */
    public static boolean matches(String query, String context) {
        return query.equals(context) || (query.endsWith(":") && context.startsWith(query) && isWildcard(query));
    }

    private static boolean isWildcard(String query) {
        return query.indexOf(':') == query.length() - 1 || query.equals(DIRTY_BITMAP);
    }
}
