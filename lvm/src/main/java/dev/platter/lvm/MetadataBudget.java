package dev.platter.lvm;

import dev.platter.core.LimitExceededException;
import dev.platter.core.Limits;

/**
 * What the metadata of one scan may still cost. Text that is all braces takes some fifty times its size when it is read
 * into objects, so the objects are counted as well as the text: at most twice {@link Limits#metadataBytes}, which
 * ordinary metadata reaches at 5 MiB of text (about 18000 volumes) under the default limits.
 */
final class MetadataBudget {
    private static final int OBJECTS_PER_TEXT = 2;

    private final Limits limits;
    private long text;
    private long objects;

    MetadataBudget(Limits limits) {
        this.limits = limits;
        this.text = limits.metadataBytes();
        this.objects = (long) OBJECTS_PER_TEXT * limits.metadataBytes();
    }

    /** Takes the bytes of a text that was not met before. */
    void chargeText(long bytes, String where) throws LimitExceededException {
        if (bytes > text) {
            throw new LimitExceededException(where + ": the text has " + bytes + " bytes, " + text + " of the "
                    + limits.metadataBytes() + " that Limits.metadataBytes allows are left");
        }
        text -= bytes;
    }

    /** Takes the estimated heap of something made from the text. */
    void chargeObjects(long bytes, String where) throws LimitExceededException {
        if (bytes > objects) {
            throw new LimitExceededException(where + ": the text would take more than "
                    + (long) OBJECTS_PER_TEXT * limits.metadataBytes()
                    + " bytes of memory, twice what Limits.metadataBytes allows for the text");
        }
        objects -= bytes;
    }
}
