package dev.platter.nbd.server;

import dev.platter.core.DeviceCatalog;
import dev.platter.nbd.protocol.ListedExport;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/** The exports of a server: those that were added one by one, and the devices of a catalog. */
final class Exports {
    private static final String FOLDER = "/dev/";

    private final Map<String, OpenExport> byName = new LinkedHashMap<>();
    private final List<DeviceCatalog> catalogs = new ArrayList<>();

    /** @throws IllegalArgumentException if there is one of that name */
    synchronized void add(Export export) {
        if (byName.putIfAbsent(export.name(), new OpenExport(export)) != null) {
            throw new IllegalArgumentException("there is " + export + " already");
        }
    }

    synchronized void add(DeviceCatalog catalog) {
        catalogs.add(catalog);
    }

    synchronized @Nullable OpenExport remove(String name) {
        return byName.remove(name);
    }

    synchronized @Nullable OpenExport find(String name) {
        OpenExport added = byName.get(name);
        if (added != null) {
            return added;
        }
        for (DeviceCatalog catalog : catalogs) {
            for (DeviceCatalog.Entry entry : catalog.devices()) {
                if (entry.name().equals(name) || shown(entry).equals(name)) {
                    return byName.computeIfAbsent(shown(entry), key -> new OpenExport(exportOf(catalog, entry)));
                }
            }
        }
        return null;
    }

    synchronized List<ListedExport> list() {
        Map<String, ListedExport> all = new LinkedHashMap<>();
        byName.values()
                .forEach(open -> all.put(
                        open.export().name(),
                        new ListedExport(open.export().name(), open.export().description())));
        for (DeviceCatalog catalog : catalogs) {
            for (DeviceCatalog.Entry entry : catalog.devices()) {
                all.putIfAbsent(shown(entry), new ListedExport(shown(entry), description(entry)));
            }
        }
        return List.copyOf(all.values());
    }

    /** Objects of one image lie over each other, so they are served for reading only. */
    private static Export exportOf(DeviceCatalog catalog, DeviceCatalog.Entry entry) {
        return Export.named(shown(entry))
                .description(description(entry))
                .readOnly()
                .openedBy(() -> catalog.device(entry.name()));
    }

    private static String shown(DeviceCatalog.Entry entry) {
        return entry.name().startsWith(FOLDER) ? entry.name().substring(FOLDER.length()) : entry.name();
    }

    private static String description(DeviceCatalog.Entry entry) {
        return entry.name() + ", " + entry.size() + " bytes";
    }
}
