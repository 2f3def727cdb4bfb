package dev.platter.interop;

import dev.platter.core.BlockDevices;
import dev.platter.core.BlockIOException;
import dev.platter.core.OpenOptions;
import dev.platter.core.Storage;
import dev.platter.core.StorageProvider;
import dev.platter.core.Storages;
import dev.platter.testkit.ForwardingStorage;
import java.io.IOException;
import java.net.URI;
import java.nio.ByteBuffer;
import java.util.Set;
import java.util.concurrent.atomic.AtomicInteger;

/** Addresses {@code sizeless:} of storages that open and then cannot tell their size. Counts those that are open. */
public final class SizelessProvider implements StorageProvider {
    static final AtomicInteger OPENED = new AtomicInteger();
    static final AtomicInteger CLOSED = new AtomicInteger();

    /** Makes the provider; for {@link java.util.ServiceLoader}. */
    public SizelessProvider() {}

    @Override
    public Set<String> schemes() {
        return Set.of("sizeless");
    }

    @Override
    public Storage open(URI address, OpenOptions options) {
        OPENED.incrementAndGet();
        return new ForwardingStorage(Storages.of(BlockDevices.ofBytes("sizeless", ByteBuffer.allocate(0)))) {
            @Override
            public long size() throws IOException {
                throw new BlockIOException(BlockIOException.Kind.IO, "sizeless: nobody knows", null);
            }

            @Override
            public void close() throws IOException {
                CLOSED.incrementAndGet();
                super.close();
            }
        };
    }
}
