package dev.platter.lvm;

import com.google.common.collect.ImmutableList;
import java.util.List;

/** A value in LVM2 metadata text. */
public sealed interface MetadataValue {

    /** An integer of 64 bits, signed. */
    record Whole(long value) implements MetadataValue {}

    /** A number with a decimal point. */
    record Decimal(double value) implements MetadataValue {}

    /**
     * A string, quoted or not.
     *
     * @param value as the image holds it: it may contain control characters
     */
    record Text(String value) implements MetadataValue {}

    /**
     * An array; none of its items is an array.
     *
     * @param values the items in their order
     */
    record Items(List<MetadataValue> values) implements MetadataValue {
        /** Copies the items. */
        public Items {
            values = ImmutableList.copyOf(values);
        }
    }
}
