package dev.platter.nbd.tls;

import dev.platter.testkit.ReferenceTools;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Instant;
import java.time.ZoneOffset;
import java.time.format.DateTimeFormatter;
import java.time.temporal.ChronoUnit;
import java.util.ArrayList;
import java.util.List;

/** An authority that lives as long as a test: openssl and a folder. Without openssl, the test is skipped. */
final class TestAuthority {
    private static final DateTimeFormatter TIME =
            DateTimeFormatter.ofPattern("yyyyMMddHHmmss'Z'").withZone(ZoneOffset.UTC);
    private static final String CONFIGURATION = """
            [ca]
            default_ca = here
            [here]
            database = index.txt
            serial = serial
            crlnumber = crlnumber
            new_certs_dir = .
            certificate = ca-cert.pem
            private_key = ca-key.pem
            default_md = sha256
            default_crl_days = 30
            policy = any
            preserve = yes
            unique_subject = no
            [any]
            commonName = optional
            [req]
            distinguished_name = none
            string_mask = utf8only
            utf8 = yes
            [none]
            [authority]
            basicConstraints = critical,CA:TRUE
            keyUsage = critical,keyCertSign,cRLSign
            subjectKeyIdentifier = hash
            """;

    private final Path folder;

    private TestAuthority(Path folder) {
        this.folder = folder;
    }

    static TestAuthority create(Path folder, String name) throws IOException {
        TestAuthority authority = prepared(folder);
        authority.openssl(
                "req",
                "-x509",
                "-config",
                "ca.cnf",
                "-extensions",
                "authority",
                "-newkey",
                "ec",
                "-pkeyopt",
                "ec_paramgen_curve:P-256",
                "-nodes",
                "-keyout",
                "ca-key.pem",
                "-out",
                "ca-cert.pem",
                "-days",
                "30",
                "-subj",
                "/CN=" + name);
        return authority;
    }

    private static TestAuthority prepared(Path folder) throws IOException {
        ReferenceTools.assumeTool("openssl");
        Files.createDirectories(folder);
        Files.writeString(folder.resolve("ca.cnf"), CONFIGURATION);
        Files.writeString(folder.resolve("index.txt"), "");
        Files.writeString(folder.resolve("serial"), "01\n");
        Files.writeString(folder.resolve("crlnumber"), "01\n");
        return new TestAuthority(folder);
    }

    /** Makes an authority below this one. */
    TestAuthority intermediate(Path place, String name) throws IOException {
        TestAuthority below = prepared(place);
        issue(
                place.resolve("ca-cert.pem"),
                place.resolve("ca-key.pem"),
                "/CN=" + name,
                "basicConstraints=critical,CA:TRUE",
                "keyUsage=critical,keyCertSign,cRLSign");
        return below;
    }

    Path certificate() {
        return folder.resolve("ca-cert.pem");
    }

    /** Makes a folder with credentials of a server, for {@code localhost} and 127.0.0.1, and of a client. */
    Path directory(Path directory) throws IOException {
        return directory(directory, "localhost", "DNS:localhost,IP:127.0.0.1", "/C=GB/O=Example, Org/CN=laptop");
    }

    Path directory(Path directory, String server, String names, String client) throws IOException {
        Files.createDirectories(directory);
        Files.copy(certificate(), directory.resolve("ca-cert.pem"));
        issue(
                directory.resolve("server-cert.pem"),
                directory.resolve("server-key.pem"),
                "/CN=" + server,
                "subjectAltName=" + names);
        issue(directory.resolve("client-cert.pem"), directory.resolve("client-key.pem"), client);
        return directory;
    }

    void issue(Path certificate, Path key, String subject, String... extensions) throws IOException {
        Instant now = Instant.now();
        issue(certificate, key, subject, now.minus(1, ChronoUnit.DAYS), now.plus(20, ChronoUnit.DAYS), extensions);
    }

    void issue(Path certificate, Path key, String subject, Instant from, Instant to, String... extensions)
            throws IOException {
        openssl("genpkey", "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256", "-out", key.toString());
        sign(certificate, key, subject, from, to, extensions);
    }

    /** Issues a certificate for a key that is there. */
    void sign(Path certificate, Path key, String subject, String... extensions) throws IOException {
        Instant now = Instant.now();
        sign(certificate, key, subject, now.minus(1, ChronoUnit.DAYS), now.plus(20, ChronoUnit.DAYS), extensions);
    }

    private void sign(Path certificate, Path key, String subject, Instant from, Instant to, String... extensions)
            throws IOException {
        Files.writeString(folder.resolve("extensions"), String.join("\n", extensions) + "\n");
        openssl(
                "req",
                "-new",
                "-config",
                "ca.cnf",
                "-key",
                key.toString(),
                "-out",
                "request.pem",
                "-utf8",
                "-subj",
                subject);
        openssl(
                "ca",
                "-batch",
                "-preserveDN",
                "-config",
                "ca.cnf",
                "-notext",
                "-in",
                "request.pem",
                "-out",
                certificate.toString(),
                "-extfile",
                "extensions",
                "-startdate",
                TIME.format(from),
                "-enddate",
                TIME.format(to));
    }

    void revoke(Path certificate) throws IOException {
        openssl("ca", "-config", "ca.cnf", "-revoke", certificate.toString());
    }

    /** Writes the list of revoked certificates. */
    void writeRevocationList(Path file) throws IOException {
        openssl("ca", "-config", "ca.cnf", "-gencrl", "-out", file.toString());
    }

    /** Writes a list that was to be replaced long ago. */
    void writeOldRevocationList(Path file) throws IOException {
        openssl(
                "ca",
                "-config",
                "ca.cnf",
                "-gencrl",
                "-crl_lastupdate",
                "20200101000000Z",
                "-crl_nextupdate",
                "20200201000000Z",
                "-out",
                file.toString());
    }

    private void openssl(String... arguments) throws IOException {
        List<String> command = new ArrayList<>();
        command.add("openssl");
        command.addAll(List.of(arguments));
        ReferenceTools.runIn(folder, command.toArray(new String[0])).assertSuccess();
    }
}
