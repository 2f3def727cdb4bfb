package dev.platter.core;

import java.io.IOException;
import java.net.URI;
import java.util.Set;

/** A service: opens addresses of some schemes. Found by {@link java.util.ServiceLoader}, once. Safe for many threads. */
public interface StorageProvider {

    /** Returns the schemes, in lower case: {@code file}, {@code nbd}. */
    Set<String> schemes();

    /** Opens the address, read-only unless the options say writable. */
    Storage open(URI address, OpenOptions options) throws IOException;
}
