package dev.platter.core;

import java.nio.file.Path;
import org.jspecify.annotations.Nullable;

/**
 * Another file or address that an image names.
 *
 * @param kind what the image needs it for
 * @param image name of the image that names it
 * @param name the name exactly as the image holds it; may contain anything
 * @param path the local file that the name means, relative names resolved against the folder of the image; null where it
 *     is no plain file name: {@code json:}, {@code nbd://} and every other name with a protocol
 */
public record Reference(
        Kind kind, String image, String name, @Nullable Path path) {

    /** What an image needs another file for. */
    public enum Kind {
        /** The image below, which holds what this one does not. */
        BACKING_FILE("backing file"),
        /** The file that holds the data clusters. */
        DATA_FILE("data file");

        private final String words;

        Kind(String words) {
            this.words = words;
        }

        @Override
        public String toString() {
            return words;
        }
    }

    /** Returns the beginning of every message about this reference: {@code web.qcow2: backing file "base.qcow2"}. */
    @Override
    public String toString() {
        return Printable.escape(image) + ": " + kind + " " + Printable.quote(name);
    }
}
