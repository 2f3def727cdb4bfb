package dev.platter.partition;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.JsonNode;
import java.util.ArrayList;
import java.util.List;

/** Compares a table with what sfdisk says of the same disk, in the form of the corpus or of {@code sfdisk -J}. */
final class TableComparison {

    /** What both sides say of a partition. */
    private record Row(
            int number,
            long start,
            long size,
            String type,
            boolean active,
            String name,
            String gptUuid,
            String attributes,
            boolean extended) {}

    private TableComparison() {}

    /** Asserts that a table is the {@code partition_table} of a manifest. */
    static void assertEqualToManifest(PartitionTable table, JsonNode expected) {
        assertThat(table.type()).isEqualTo(expected.path("label").asText());
        assertThat(table.id()).isEqualTo(expected.path("id").asText());
        assertThat(table.sectorSize()).isEqualTo(expected.path("sector_size").asInt());
        List<Row> rows = new ArrayList<>();
        for (JsonNode item : expected.path("partitions")) {
            rows.add(row(
                    item,
                    item.path("number").asInt(),
                    item.path("start").asLong(),
                    item.path("size").asLong()));
        }
        assertThat(rows(table)).isEqualTo(rows);
    }

    /** Asserts that a table is what {@code sfdisk -J} printed of {@code device}. */
    static void assertEqualToSfdisk(PartitionTable table, JsonNode json, String device) {
        JsonNode expected = json.path("partitiontable");
        int sectorSize = expected.path("sectorsize").asInt();
        assertThat(table.type()).isEqualTo(expected.path("label").asText());
        assertThat(table.id()).isEqualTo(expected.path("id").asText());
        assertThat(table.sectorSize()).isEqualTo(sectorSize);
        List<Row> rows = new ArrayList<>();
        for (JsonNode item : expected.path("partitions")) {
            String node = item.path("node").asText().substring(device.length());
            rows.add(row(
                    item,
                    Integer.parseInt(node.replace("p", "")),
                    item.path("start").asLong() * sectorSize,
                    item.path("size").asLong() * sectorSize));
        }
        assertThat(rows(table)).isEqualTo(rows);
    }

    private static Row row(JsonNode item, int number, long start, long size) {
        String type = item.path("type").asText();
        boolean gpt = type.length() > 2;
        return new Row(
                number,
                start,
                size,
                gpt ? type : String.format("0x%02x", Integer.parseInt(type, 16)),
                item.path("bootable").asBoolean(),
                item.path("name").asText(),
                item.path("uuid").asText(),
                item.path("attrs").asText(),
                !gpt && List.of("5", "f", "85").contains(type));
    }

    private static List<Row> rows(PartitionTable table) {
        boolean gpt = "gpt".equals(table.type());
        List<Row> rows = new ArrayList<>();
        for (Partition partition : table.partitions()) {
            String name = partition.name();
            String uuid = partition.uuid();
            rows.add(new Row(
                    partition.number(),
                    partition.start(),
                    partition.size(),
                    partition.type(),
                    partition.bootable() && !gpt,
                    name == null ? "" : name,
                    uuid == null || !gpt ? "" : uuid,
                    partition.attributesText(),
                    partition.role() == Partition.Role.EXTENDED));
        }
        return rows;
    }
}
