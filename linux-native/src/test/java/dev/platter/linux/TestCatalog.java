package dev.platter.linux;

import dev.platter.core.BlockDevice;
import dev.platter.core.BlockDevices;
import dev.platter.core.DeviceCatalog;
import java.io.IOException;
import java.nio.file.NoSuchFileException;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/** What an inspection would have found. */
final class TestCatalog implements DeviceCatalog {
    private final BlockDevice disk;
    private final List<Entry> entries = new ArrayList<>();
    private final Map<String, List<long[]>> volumes = new LinkedHashMap<>();

    TestCatalog(BlockDevice disk, @Nullable String content) {
        this.disk = disk;
        entries.add(new Entry("/dev/sda", disk.size(), Kind.DISK, null, content));
    }

    TestCatalog partition(int number, long start, long size, @Nullable String content) {
        entries.add(
                new Entry("/dev/sda" + number, size, Kind.PARTITION, new Place("/dev/sda", number, start), content));
        return this;
    }

    TestCatalog partition(int number, long start, long size, String content, String uuid) {
        Place place = new Place("/dev/sda", number, start);
        entries.add(new Entry("/dev/sda" + number, size, Kind.PARTITION, place, content, uuid, null));
        return this;
    }

    TestCatalog container(int number, long start, long size) {
        entries.add(new Entry("/dev/sda" + number, size, Kind.CONTAINER, new Place("/dev/sda", number, start), null));
        return this;
    }

    /** Adds a volume of pieces of the disk: pairs of offset and length. */
    TestCatalog volume(String name, @Nullable String content, long... pieces) {
        List<long[]> parts = new ArrayList<>();
        long size = 0;
        for (int i = 0; i < pieces.length; i += 2) {
            parts.add(new long[] {pieces[i], pieces[i + 1]});
            size += pieces[i + 1];
        }
        volumes.put(name, parts);
        entries.add(new Entry(name, size, Kind.VOLUME, null, content));
        return this;
    }

    @Override
    public List<Entry> devices() {
        return entries;
    }

    @Override
    public BlockDevice device(String name) throws IOException {
        for (Entry entry : entries) {
            Place place = entry.place();
            if (place != null && entry.name().equals(name)) {
                return BlockDevices.slice(disk, name, place.start(), entry.size());
            }
        }
        List<long[]> pieces = volumes.get(name);
        if (pieces == null) {
            throw new NoSuchFileException(name);
        }
        List<BlockDevice> parts = new ArrayList<>();
        for (long[] piece : pieces) {
            parts.add(BlockDevices.slice(disk, name, piece[0], piece[1]));
        }
        return parts.size() == 1 ? parts.get(0) : BlockDevices.concat(name, parts);
    }
}
