package dev.platter.nbd.client;

import dev.platter.core.BlockIOException;
import dev.platter.core.OpenOptions;
import dev.platter.core.Storage;
import dev.platter.core.StorageProvider;
import java.io.IOException;
import java.net.URI;
import java.util.Set;

/** Opens addresses of exports; see {@link NbdUri}. What is opened is a disk, so it is raw unless a format is stated. */
public final class NbdStorageProvider implements StorageProvider {

    /** Makes the provider; for {@link java.util.ServiceLoader}. */
    public NbdStorageProvider() {}

    @Override
    public Set<String> schemes() {
        return Set.of("nbd", "nbds", "nbd+unix", "nbds+unix");
    }

    @Override
    public Storage open(URI address, OpenOptions options) throws IOException {
        NbdUri uri;
        try {
            uri = NbdUri.parse(address.toString());
        } catch (IllegalArgumentException e) {
            throw new BlockIOException(BlockIOException.Kind.NOT_SUPPORTED, String.valueOf(e.getMessage()), e);
        }
        NbdClientOptions client = NbdClientOptions.builder()
                .writable(options.writable())
                .onWarning(options.onWarning())
                .build();
        return new NbdStorage(uri, NbdClient.to(uri).with(client).open());
    }
}
