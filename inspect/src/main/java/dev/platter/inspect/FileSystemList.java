package dev.platter.inspect;

import dev.platter.filesystem.FileSystem;
import dev.platter.partition.Partition;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/** What {@code guestfish list-filesystems} shows and what it leaves out. libguestfs: daemon/listfs.ml. */
final class FileSystemList {
    static final String PHYSICAL_VOLUME = "LVM2_member";

    private static final Set<String> SKIPPED_PARTITION_TYPES = Set.of(
            "5808C8AA-7E8F-42E0-85D2-E1E90434CFB3",
            "AF9B60A0-1431-4F62-BC68-3311714A69AD",
            "E3C9E316-0B5C-4DB8-817D-F92DF00215AE",
            "CADDEBF1-4400-4DE8-B103-12117DCF3CCF");

    private FileSystemList() {}

    static Map<String, String> of(List<Volume> volumes) {
        Map<String, String> types = new LinkedHashMap<>();
        for (Volume volume : volumes) {
            String type = volume.fileSystem().map(FileSystem::type).orElse("unknown");
            if (!isSkipped(volume.partition()) && !type.endsWith("_member") && !type.equals("crypto_LUKS")) {
                types.put(volume.name(), type);
            }
        }
        return types;
    }

    private static boolean isSkipped(@Nullable Partition partition) {
        return partition != null && SKIPPED_PARTITION_TYPES.contains(partition.type());
    }
}
