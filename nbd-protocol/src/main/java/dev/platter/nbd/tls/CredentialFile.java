package dev.platter.nbd.tls;

import java.io.IOException;
import java.io.InputStream;
import java.nio.file.AccessDeniedException;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;

/** Reads files of credentials. */
final class CredentialFile {
    /** Large enough for the list of all that a large authority revoked. */
    private static final int MAX_BYTES = 64 << 20;

    private CredentialFile() {}

    /**
     * Reads a file.
     *
     * @throws IOException if it cannot be read; the message is that of QEMU
     */
    static byte[] read(Path file) throws IOException {
        byte[] bytes;
        try (InputStream in = Files.newInputStream(file)) {
            bytes = in.readNBytes(MAX_BYTES + 1);
        } catch (NoSuchFileException e) {
            throw inaccessible(file, "No such file or directory", e);
        } catch (AccessDeniedException e) {
            throw inaccessible(file, "Permission denied", e);
        } catch (IOException e) {
            throw inaccessible(file, String.valueOf(e.getMessage()), e);
        }
        if (bytes.length > MAX_BYTES) {
            throw new IOException(file + ": longer than " + MAX_BYTES + " bytes");
        }
        return bytes;
    }

    private static IOException inaccessible(Path file, String reason, IOException cause) {
        return new IOException("Unable to access credentials " + file + ": " + reason, cause);
    }
}
