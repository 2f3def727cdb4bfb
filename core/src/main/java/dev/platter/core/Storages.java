package dev.platter.core;

import java.io.IOException;
import java.net.URI;
import java.nio.channels.FileChannel;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.Locale;

/** Ways to come by a {@link Storage}, and back from it to a {@link BlockDevice}. */
public final class Storages {
    private static final Services<StorageProvider> PROVIDERS = new Services<>(StorageProvider.class);

    private Storages() {}

    /**
     * Opens a regular file or a block device.
     *
     * <p>Writers keep each other out, other processes that ask for locks (as qemu does) included. POSIX systems drop the
     * lock of a process when it closes any descriptor of the file; the lock is taken again at once if that was done here,
     * and not if other code of the process did it. With an implementation of {@link FileFacts} on the path the locks are its
     * own, which no other descriptor takes away.
     *
     * @param writable whether writes are to be allowed; the file must exist, and no other process may hold it for
     *     writing
     * @throws java.nio.file.NoSuchFileException if there is none
     * @throws BlockIOException of kind {@code NOT_SUPPORTED} if it is a directory, a pipe or a socket; of kind {@code
     *     BUSY} if somebody else holds it for writing
     */
    public static Storage open(Path file, boolean writable) throws IOException {
        return FileStorage.open(file, writable);
    }

    /**
     * Opens what an address names, by the {@link StorageProvider} of its scheme.
     *
     * @throws UnsupportedFeatureException if no provider on the path knows the scheme
     */
    public static Storage open(URI address, OpenOptions options) throws IOException {
        String scheme =
                address.getScheme() == null ? "file" : address.getScheme().toLowerCase(Locale.ROOT);
        for (StorageProvider provider : PROVIDERS.all()) {
            if (provider.schemes().contains(scheme)) {
                return provider.open(address, options);
            }
        }
        throw new UnsupportedFeatureException(
                address + ": no storage provider for the scheme " + Printable.quote(scheme) + " is on the path");
    }

    /**
     * Makes the name of a file durable, as a flush makes its bytes: a new file, or one that was renamed, can be gone after a
     * loss of power without this. Does nothing where folders cannot be opened (Windows).
     */
    public static void syncFolder(Path file) throws IOException {
        Path folder = file.toAbsolutePath().getParent();
        if (folder == null) {
            return;
        }
        FileChannel channel;
        try {
            channel = FileChannel.open(folder, StandardOpenOption.READ);
        } catch (IOException e) {
            // Windows opens no folders
            return;
        }
        try (channel) {
            channel.force(true);
        }
    }

    /** Returns a device's bytes as a read-only storage. Closing it closes the device. */
    public static Storage of(BlockDevice device) {
        return new DeviceStorage(device);
    }

    /** Returns a storage as a device of the size it has now. Closing it closes the storage. */
    public static BlockDevice asDevice(Storage storage) throws IOException {
        return new StorageDevice(storage);
    }
}
