package dev.platter.testkit;

import com.fasterxml.jackson.databind.JsonNode;
import java.util.ArrayList;
import java.util.List;

/**
 * Disks of the {@link Corpus} that belong together.
 *
 * @param node the object in the manifest
 */
public record CorpusSet(JsonNode node) {

    /** Returns the name of the set. */
    public String name() {
        return node.path("name").asText();
    }

    /** Returns the files of the disks, in the order in which they are attached. */
    public List<String> disks() {
        List<String> disks = new ArrayList<>();
        node.path("disks").forEach(disk -> disks.add(disk.asText()));
        return disks;
    }

    /** Returns what the reference tools say of the disks together. */
    public JsonNode expected() {
        return node.path("expected");
    }

    @Override
    public String toString() {
        return name();
    }
}
