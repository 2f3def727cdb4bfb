package dev.platter.core;

/**
 * Something odd that did not stop the reading.
 *
 * @param offset byte offset in the file or device that {@code text} speaks of, or -1 where no single place is meant
 * @param text one sentence for a person, without control characters, beginning with what it speaks of
 */
public record Warning(long offset, String text) {

    /** Makes a warning; control characters in {@code text} are escaped. */
    public Warning {
        text = Printable.escape(text);
    }

    @Override
    public String toString() {
        return text;
    }
}
