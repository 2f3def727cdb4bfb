package dev.platter.nbd.tls;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.HexFormat;
import java.util.LinkedHashMap;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/**
 * Keys that both sides know beforehand, in a file as psktool writes it: lines of {@code user:hex}. The JDK's TLS has none;
 * BouncyCastle (bctls-jdk18on, bcutil-jdk18on, bcprov-jdk18on) has to be there, on the class path, or among the modules by
 * {@code --add-modules org.bouncycastle.tls}. TLS 1.3 with key exchange (psk_dhe_ke), or TLS 1.2 with ECDHE-PSK or DHE-PSK.
 *
 * <p>Safe for many threads.
 */
public final class PskCredentials implements TlsCredentials {
    /** Name of the file in QEMU's layout. */
    public static final String KEYS_FILE = "keys.psk";

    /** As whom a client presents itself unless told otherwise. */
    public static final String DEFAULT_USERNAME = "qemu";

    /** So long may an identity be for GnuTLS. */
    private static final int MAX_IDENTITY_BYTES = 128;

    private final Path file;
    /** Null for a server. */
    private final @Nullable String username;

    private volatile Map<String, byte[]> keys;

    private PskCredentials(Path file, @Nullable String username) throws IOException {
        requireLibrary();
        this.file = file;
        this.username = username;
        keys = read();
    }

    /**
     * Reads the credentials of a client.
     *
     * @param keys the file
     * @param username as whom it presents itself; usually {@link #DEFAULT_USERNAME}
     * @throws IOException if the file cannot be read or does not hold the user's key, or BouncyCastle is missing
     */
    public static PskCredentials client(Path keys, String username) throws IOException {
        return new PskCredentials(keys, username);
    }

    /**
     * Reads the credentials of a server.
     *
     * @param keys the file
     * @throws IOException if the file cannot be read, or BouncyCastle is missing
     */
    public static PskCredentials server(Path keys) throws IOException {
        return new PskCredentials(keys, null);
    }

    /**
     * Reads the file again. Sessions that begin later use what is in it now; those that go on are not touched.
     *
     * @throws IOException if something is wrong with the file; then all stays as it was
     */
    public void reload() throws IOException {
        keys = read();
    }

    /** {@inheritDoc} The host is of no importance: who knows the key is the server. */
    @Override
    public TlsSession clientSession(@Nullable String host) throws IOException {
        byte[] key = username == null ? null : keys.get(username);
        if (username == null || key == null) {
            throw new IOException("Expected TLS credentials for a client endpoint");
        }
        return PskSession.client(username, key);
    }

    @Override
    public TlsSession serverSession() throws IOException {
        if (username != null) {
            throw new IOException("Expected TLS credentials for a server endpoint");
        }
        return PskSession.server(keys);
    }

    private Map<String, byte[]> read() throws IOException {
        String[] lines = new String(CredentialFile.read(file), StandardCharsets.UTF_8).split("\r?\n", -1);
        Map<String, byte[]> read = new LinkedHashMap<>();
        for (int i = 0; i < lines.length; i++) {
            String line = lines[i];
            if (line.isBlank()) {
                continue;
            }
            int colon = line.indexOf(':');
            byte[] key = colon < 1 ? new byte[0] : key(line.substring(colon + 1).strip());
            if (key.length == 0
                    || line.substring(0, colon).getBytes(StandardCharsets.UTF_8).length > MAX_IDENTITY_BYTES) {
                // What the line holds is nobody's business.
                throw new IOException(file + ": line " + (i + 1) + " is not user:key with a key in hexadecimal digits");
            }
            // GnuTLS takes the first one.
            read.putIfAbsent(line.substring(0, colon), key);
        }
        if (username != null && !read.containsKey(username)) {
            throw new IOException("Username " + username + " not found in PSK file " + file);
        }
        return read;
    }

    private static byte[] key(String hex) {
        try {
            return HexFormat.of().parseHex(hex);
        } catch (IllegalArgumentException e) {
            return new byte[0];
        }
    }

    /** No class that names BouncyCastle may be touched before. */
    private static void requireLibrary() throws IOException {
        try {
            PskSession.requireLibrary();
        } catch (LinkageError e) {
            throw new IOException(
                    "TLS with pre-shared keys needs BouncyCastle, which is not there: add bctls-jdk18on, bcutil-jdk18on and"
                            + " bcprov-jdk18on",
                    e);
        }
    }
}
