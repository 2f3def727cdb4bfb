package dev.platter.lvm;

import dev.platter.core.CorruptImageException;
import dev.platter.core.DiskImageException;
import dev.platter.core.LimitExceededException;
import dev.platter.core.Printable;
import dev.platter.core.UnsupportedFeatureException;

/**
 * Why something is listed but not opened: one sentence, and which exception says it.
 *
 * @param root the sentence about what is at the bottom of it, where {@code text} speaks of what depends on that
 */
record Refusal(Kind kind, String text, String root) {
    enum Kind {
        /** The metadata contradicts itself or the devices. */
        CORRUPT,
        /** It is right, and not built here. */
        UNSUPPORTED,
        /** It needs more than the limits allow. */
        LIMIT,
        /** Something that it needs was not given, or given twice. */
        UNAVAILABLE
    }

    Refusal {
        text = Printable.escape(text);
        root = Printable.escape(root);
    }

    static Refusal corrupt(String text) {
        return new Refusal(Kind.CORRUPT, text, text);
    }

    static Refusal unsupported(String text) {
        return new Refusal(Kind.UNSUPPORTED, text, text);
    }

    static Refusal limit(String text) {
        return new Refusal(Kind.LIMIT, text, text);
    }

    static Refusal unavailable(String text) {
        return new Refusal(Kind.UNAVAILABLE, text, text);
    }

    /** Returns the same kind of refusal in other words. */
    Refusal reworded(String text) {
        return new Refusal(kind, text, text);
    }

    /** Returns this refusal of what depends on something else that is refused for {@code root}. */
    Refusal withRoot(String root) {
        return new Refusal(kind, text, root);
    }

    DiskImageException toException() {
        return switch (kind) {
            case CORRUPT -> new CorruptImageException(text);
            case UNSUPPORTED -> new UnsupportedFeatureException(text);
            case LIMIT -> new LimitExceededException(text);
            case UNAVAILABLE -> new DiskImageException(text);
        };
    }
}
