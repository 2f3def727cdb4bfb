package dev.platter.lvm;

import com.google.common.collect.ImmutableList;
import com.google.common.collect.ImmutableMap;
import com.google.common.collect.ImmutableSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalLong;
import java.util.Set;

/**
 * A section of LVM2 metadata text with everything in it, whether Platter knows the key or not. Immutable.
 *
 * @param name the key of the section as the image holds it, "" for the whole text
 * @param values the values by their keys, in the order of the text
 * @param sections the sections inside, in the order of the text
 * @param repeatedKeys keys that the section holds more than once; the first one is kept
 */
public record MetadataSection(
        String name,
        Map<String, MetadataValue> values,
        Map<String, MetadataSection> sections,
        Set<String> repeatedKeys) {

    /** Copies the maps. */
    public MetadataSection {
        values = ImmutableMap.copyOf(values);
        sections = ImmutableMap.copyOf(sections);
        repeatedKeys = ImmutableSet.copyOf(repeatedKeys);
    }

    /** Returns the integer of that key; empty if the key is absent or holds something else. */
    public OptionalLong number(String key) {
        return values.get(key) instanceof MetadataValue.Whole whole
                ? OptionalLong.of(whole.value())
                : OptionalLong.empty();
    }

    /** Returns the string of that key; empty if the key is absent or holds something else. */
    public Optional<String> text(String key) {
        return values.get(key) instanceof MetadataValue.Text text ? Optional.of(text.value()) : Optional.empty();
    }

    /** Returns the strings of that key, be it one string or an array; what is no string in an array is left out. */
    public List<String> texts(String key) {
        MetadataValue value = values.get(key);
        if (value instanceof MetadataValue.Text text) {
            return List.of(text.value());
        }
        if (!(value instanceof MetadataValue.Items items)) {
            return List.of();
        }
        ImmutableList.Builder<String> texts = ImmutableList.builder();
        for (MetadataValue item : items.values()) {
            if (item instanceof MetadataValue.Text text) {
                texts.add(text.value());
            }
        }
        return texts.build();
    }

    /** Returns the section of that key. */
    public Optional<MetadataSection> section(String key) {
        return Optional.ofNullable(sections.get(key));
    }
}
