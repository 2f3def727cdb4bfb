package dev.platter.testkit;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;

/**
 * The files for TLS that a server and its clients need, in one folder and under the names that qemu looks for: an authority,
 * a server {@code localhost} (127.0.0.1), a client {@code laptop}, and the key of {@code alice}.
 */
public final class TlsFiles {
    /** Subject of the client's certificate, as qemu writes it. */
    public static final String CLIENT = "O=Test,CN=laptop";

    /** Who has a shared key. */
    public static final String KEY_OWNER = "alice";

    private static final String KEY = KEY_OWNER + ":00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff\n";

    private TlsFiles() {}

    /**
     * Makes the files; skips the test if openssl is not installed.
     *
     * @param folder existing; what is made there before is replaced
     */
    public static void make(Path folder) throws IOException {
        ReferenceTools.assumeTool("openssl");
        Files.writeString(folder.resolve("empty.cnf"), "[req]\ndistinguished_name = none\n[none]\n");
        certificate(folder, "ca", "/CN=Test authority", "basicConstraints=critical,CA:TRUE", "keyUsage=keyCertSign");
        certificate(
                folder,
                "server",
                "/CN=localhost",
                "basicConstraints=critical,CA:FALSE",
                "subjectAltName=DNS:localhost,IP:127.0.0.1",
                "extendedKeyUsage=serverAuth");
        certificate(
                folder,
                "client",
                "/O=Test/CN=laptop",
                "basicConstraints=critical,CA:FALSE",
                "extendedKeyUsage=clientAuth");
        Files.writeString(folder.resolve("keys.psk"), KEY);
    }

    private static void certificate(Path folder, String name, String subject, String... extensions) throws IOException {
        List<String> command =
                new ArrayList<>(List.of("openssl", "req", "-x509", "-config", "empty.cnf", "-newkey", "ec"));
        command.addAll(List.of("-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2", "-subj", subject));
        command.addAll(List.of("-keyout", name + "-key.pem", "-out", name + "-cert.pem"));
        if (!name.equals("ca")) {
            command.addAll(List.of("-CA", "ca-cert.pem", "-CAkey", "ca-key.pem"));
        }
        for (String extension : extensions) {
            command.addAll(List.of("-addext", extension));
        }
        ReferenceTools.runIn(folder, command.toArray(new String[0])).assertSuccess();
    }
}
