package dev.platter.filesystem;

import java.io.IOException;
import org.jspecify.annotations.Nullable;

/**
 * Looks for one type of contents. A probe reads the superblock into a record, checks it, and says what it found. It has no
 * state.
 */
interface Probe {

    /**
     * Looks at a volume.
     *
     * @return what is there, or null when it is something else. What has the magic but is damaged is null too, and a
     *     warning of the volume says why
     * @throws IOException only when the volume was closed or the thread interrupted; ranges that cannot be read are
     *     treated as absent
     */
    @Nullable
    FileSystem probe(Volume volume) throws IOException;

    /** How this type gets along with others on the same volume. */
    default Family family() {
        return Family.FILE_SYSTEM;
    }

    /** Volumes smaller than this many bytes cannot hold this type. */
    default long minimumSize() {
        return 0;
    }

    /** How a type gets along with others on the same volume, as in {@code libblkid}. */
    enum Family {
        /** A member of an array: what shows through it belongs to the array, so the search ends. */
        RAID,
        /** Encrypted: what looks like a signature behind it is chance, so the search ends. */
        CRYPTO,
        /** Must be alone. */
        FILE_SYSTEM,
        /** Made to share its volume with others of this family: ISO 9660 beside UDF. */
        TOLERANT
    }
}
