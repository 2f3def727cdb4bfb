package dev.platter.core;

/** Watches a check and can stop it. Called by the thread that checks. */
public interface CheckListener {

    /** What a finding is. */
    enum Kind {
        /** The place could not be checked. */
        ERROR,
        /** A contradiction that endangers data. */
        CORRUPTION,
        /** A cluster that is counted as used and is not. */
        LEAK
    }

    /**
     * Takes one finding. A damaged image can have very many; the listener decides how many it keeps.
     *
     * @param offset byte offset in the file
     * @param text one line for a person
     */
    default void finding(Kind kind, long offset, String text) {}

    /**
     * Takes the progress, in units of work of the check's own.
     *
     * @return whether to go on
     */
    default boolean progress(long done, long total) {
        return true;
    }
}
