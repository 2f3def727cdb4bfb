package dev.platter.testkit;

import dev.platter.core.OpenOptions;
import dev.platter.core.Storage;
import dev.platter.core.StorageProvider;
import java.net.URI;
import java.util.List;
import java.util.Set;
import java.util.concurrent.CopyOnWriteArrayList;

/**
 * Stands for every network and pseudo protocol that a hostile image names, and notes who steps on it. Tests name it in their
 * own {@code META-INF/services}.
 */
public final class TripwireProvider implements StorageProvider {
    private static final List<URI> OPENED = new CopyOnWriteArrayList<>();

    /** Makes the provider; for {@link java.util.ServiceLoader}. */
    public TripwireProvider() {}

    /** Returns the addresses that were opened. */
    public static List<URI> opened() {
        return List.copyOf(OPENED);
    }

    @Override
    public Set<String> schemes() {
        return Set.of("nbd", "http", "https", "ftp", "json", "fat", "vvfat", "ssh", "iscsi");
    }

    @Override
    public Storage open(URI address, OpenOptions options) {
        OPENED.add(address);
        throw new AssertionError("opened " + address);
    }
}
