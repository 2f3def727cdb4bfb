package dev.platter.lvm;

import com.google.common.hash.HashCode;
import com.google.common.hash.Hashing;
import dev.platter.core.CorruptImageException;
import dev.platter.core.DiskImageException;
import dev.platter.core.LimitExceededException;
import dev.platter.core.Limits;
import java.util.HashMap;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/**
 * The texts of one scan, each one read into objects once: every physical volume of a group carries the same text. Texts
 * are told apart by SHA-256, since two that share a checksum of 32 bits are easily made. Not for several threads.
 */
final class TextPool {
    private static final String TEXT = "metadata text";

    private final Limits limits;
    private final MetadataBudget budget;
    private final Map<HashCode, Outcome> outcomes = new HashMap<>();

    private record Outcome(@Nullable GroupMetadata group, String problem) {}

    TextPool(Limits limits) {
        this.limits = limits;
        this.budget = new MetadataBudget(limits);
    }

    /** Refuses a text that no budget could pay, before memory is taken for it. */
    void checkSize(long bytes, String where) throws LimitExceededException {
        if (bytes > limits.metadataBytes()) {
            throw new LimitExceededException(where + ": the text has " + bytes + " bytes, Limits.metadataBytes allows "
                    + limits.metadataBytes());
        }
    }

    /**
     * Returns the group that a text describes.
     *
     * @throws DiskImageException if it describes none
     */
    GroupMetadata group(byte[] text, String where) throws DiskImageException {
        HashCode hash = Hashing.sha256().hashBytes(text);
        Outcome outcome = outcomes.get(hash);
        if (outcome == null) {
            outcome = read(text);
            outcomes.put(hash, outcome);
        }
        if (outcome.group == null) {
            throw new CorruptImageException(where + ": " + outcome.problem);
        }
        return outcome.group;
    }

    private Outcome read(byte[] text) {
        try {
            budget.chargeText(text.length, TEXT);
            MetadataSection section = MetadataParser.parse(text, TEXT, limits, budget);
            return new Outcome(GroupReader.read(section, TEXT, limits), "");
        } catch (DiskImageException e) {
            return new Outcome(null, String.valueOf(e.getMessage()));
        }
    }
}
