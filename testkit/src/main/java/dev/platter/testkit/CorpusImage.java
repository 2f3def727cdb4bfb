package dev.platter.testkit;

import com.fasterxml.jackson.databind.JsonNode;
import java.util.ArrayList;
import java.util.List;

/**
 * One image of the {@link Corpus}, as its manifest describes it.
 *
 * @param node the object in the manifest; its README says what it can hold
 */
public record CorpusImage(JsonNode node) {

    /** Returns the name under which the image is unpacked. */
    public String file() {
        return node.path("file").asText();
    }

    /** Returns {@code good}, {@code odd} or {@code hostile}. */
    public String category() {
        return node.path("category").asText();
    }

    /** Returns {@code raw}, {@code qcow2} or {@code probe}. */
    public String format() {
        return node.path("format").asText();
    }

    /** Returns the bytes of the unpacked file. */
    public long size() {
        return node.path("size").asLong();
    }

    /** Returns the SHA-256 of the unpacked file, in hex. */
    public String sha256() {
        return node.path("sha256").asText();
    }

    /** Returns the logical sector size in bytes that a caller has to state, or 0. */
    public int logicalSectorSize() {
        return node.path("logical_sector_size").asInt();
    }

    /** Returns the files that must lie beside this one. */
    public List<String> requires() {
        return texts("requires");
    }

    /** Returns whether the manifest gives the image this tag. */
    public boolean hasTag(String tag) {
        return texts("tags").contains(tag);
    }

    /** Returns what the reference tools say of the image; a missing node where there is nothing. */
    public JsonNode expected() {
        return node.path("expected");
    }

    /** Returns the demand on a reader of this hostile image; a missing node for others. */
    public JsonNode hostile() {
        return node.path("hostile");
    }

    /** Returns whether the offsets of a map are compared, which needs a file without holes. */
    boolean needsDenseFile() {
        return expected().has("map") || expected().has("map_file");
    }

    @Override
    public String toString() {
        return file();
    }

    private List<String> texts(String name) {
        List<String> texts = new ArrayList<>();
        node.path(name).forEach(item -> texts.add(item.asText()));
        return texts;
    }
}
