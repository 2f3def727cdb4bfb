package dev.platter.core;

import com.google.common.collect.ImmutableList;
import java.util.List;
import java.util.ServiceLoader;
import org.jspecify.annotations.Nullable;

/**
 * The providers of a service, looked for when they are first needed and kept: looking for them takes as long as opening a
 * small image. Safe for many threads, as the providers must be.
 */
final class Services<S> {
    private final Class<S> type;
    private volatile @Nullable List<S> found;

    Services(Class<S> type) {
        this.type = type;
    }

    /** Returns the providers that this library's class loader sees, in its order. */
    List<S> all() {
        List<S> known = found;
        if (known == null) {
            known = ImmutableList.copyOf(ServiceLoader.load(type, type.getClassLoader()));
            found = known;
        }
        return known;
    }
}
