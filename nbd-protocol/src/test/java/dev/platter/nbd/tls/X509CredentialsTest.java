package dev.platter.nbd.tls;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIOException;

import dev.platter.testkit.ReferenceTools;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.time.Instant;
import java.time.temporal.ChronoUnit;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** What is asked of the files, and what is said about them. */
@Timeout(120)
class X509CredentialsTest {
    @TempDir
    static Path shared;

    @TempDir
    Path directory;

    private static TestAuthority authority;
    private static Path good;

    @BeforeAll
    static void makeCertificates() throws IOException {
        authority = TestAuthority.create(shared.resolve("authority"), "Test authority");
        good = authority.directory(shared.resolve("good"));
    }

    @BeforeEach
    void copyCertificates() throws IOException {
        for (String name :
                new String[] {"ca-cert.pem", "server-cert.pem", "server-key.pem", "client-cert.pem", "client-key.pem"
                }) {
            Files.copy(good.resolve(name), directory.resolve(name));
        }
    }

    @ParameterizedTest
    @ValueSource(strings = {"ca-cert.pem", "server-cert.pem", "server-key.pem"})
    void aServerNamesTheFileThatIsMissing(String name) throws IOException {
        Files.delete(directory.resolve(name));

        assertThatIOException()
                .isThrownBy(() -> X509Credentials.server(directory).read())
                .withMessage("Unable to access credentials " + directory.resolve(name) + ": No such file or directory");
    }

    @Test
    void aServerNeedsTheAuthorityEvenIfItVerifiesNobody() throws IOException {
        Files.delete(directory.resolve("ca-cert.pem"));

        assertThatIOException()
                .isThrownBy(() ->
                        X509Credentials.server(directory).verifyPeer(false).read())
                .withMessageContaining("ca-cert.pem: No such file or directory");
    }

    @Test
    void aClientNeedsTheAuthorityOnly() throws IOException {
        Files.delete(directory.resolve("client-cert.pem"));
        Files.delete(directory.resolve("client-key.pem"));

        X509Credentials.client(directory).read().clientSession("localhost");

        Files.delete(directory.resolve("ca-cert.pem"));
        assertThatIOException()
                .isThrownBy(() -> X509Credentials.client(directory).read())
                .withMessage("Unable to access credentials " + directory.resolve("ca-cert.pem")
                        + ": No such file or directory");
    }

    @ParameterizedTest
    @ValueSource(strings = {"client-cert.pem", "client-key.pem"})
    void aClientNeedsBothOrNone(String name) throws IOException {
        Files.delete(directory.resolve(name));

        assertThatIOException()
                .isThrownBy(() -> X509Credentials.client(directory).read())
                .withMessageContaining(name + ": No such file or directory");
    }

    @Test
    void aFolderInThePlaceOfAFileIsSaid() throws IOException {
        Files.delete(directory.resolve("server-key.pem"));
        Files.createDirectory(directory.resolve("server-key.pem"));

        assertThatIOException()
                .isThrownBy(() -> X509Credentials.server(directory).read())
                .withMessage(
                        "Unable to access credentials " + directory.resolve("server-key.pem") + ": Is a directory");
    }

    @Test
    void aKeyOfAnotherCertificateIsRefused() throws IOException {
        replace("client-key.pem", "server-key.pem");

        assertThatIOException()
                .isThrownBy(() -> X509Credentials.server(directory).read())
                .withMessage(directory.resolve("server-key.pem") + " is not the key of "
                        + directory.resolve("server-cert.pem"));
    }

    @Test
    void anExpiredCertificateIsRefusedUnlessToldOtherwise() throws IOException {
        Instant now = Instant.now();
        authority.issue(
                directory.resolve("server-cert.pem"),
                directory.resolve("server-key.pem"),
                "/CN=old",
                now.minus(3, ChronoUnit.DAYS),
                now.minus(1, ChronoUnit.DAYS));

        assertThatIOException()
                .isThrownBy(() -> X509Credentials.server(directory).read())
                .withMessageStartingWith("The certificate " + directory.resolve("server-cert.pem") + " has expired");
        X509Credentials.server(directory).sanityCheck(false).read().serverSession();
    }

    @Test
    void aCertificateOfTomorrowIsRefused() throws IOException {
        Instant now = Instant.now();
        authority.issue(
                directory.resolve("client-cert.pem"),
                directory.resolve("client-key.pem"),
                "/CN=early",
                now.plus(1, ChronoUnit.DAYS),
                now.plus(3, ChronoUnit.DAYS));

        assertThatIOException()
                .isThrownBy(() -> X509Credentials.client(directory).read())
                .withMessageContaining("is not yet active");
    }

    @Test
    void aFileWithoutACertificateIsRefused() throws IOException {
        replace("server-key.pem", "ca-cert.pem");

        assertThatIOException()
                .isThrownBy(() -> X509Credentials.server(directory).read())
                .withMessage(directory.resolve("ca-cert.pem") + ": holds no certificate in PEM");
    }

    @Test
    void aListOfRevokedCertificatesThatIsNoneIsRefused() throws IOException {
        Files.writeString(directory.resolve("ca-crl.pem"), "nothing");

        assertThatIOException()
                .isThrownBy(() -> X509Credentials.server(directory).read())
                .withMessage(directory.resolve("ca-crl.pem") + ": holds no list of revoked certificates in PEM");
    }

    @Test
    void eachSideIsForItsOwnEndpoint() throws IOException {
        X509Credentials server = X509Credentials.server(directory).read();
        X509Credentials client = X509Credentials.client(directory).read();

        assertThatIOException()
                .isThrownBy(() -> server.clientSession("localhost"))
                .withMessage("Expected TLS credentials for a client endpoint");
        assertThatIOException()
                .isThrownBy(client::serverSession)
                .withMessage("Expected TLS credentials for a server endpoint");
    }

    @Test
    void aClientThatVerifiesNeedsAHostName() throws IOException {
        X509Credentials client = X509Credentials.client(directory).read();

        assertThatIOException()
                .isThrownBy(() -> client.clientSession(null))
                .withMessageStartingWith("No hostname for certificate validation");
        assertThatIOException().isThrownBy(() -> client.clientSession(""));
        assertThatIOException().isThrownBy(() -> client.clientSession("."));
    }

    @Test
    void systemTrustIsForClientsThatVerify() throws IOException {
        X509Credentials client = X509Credentials.systemTrust();

        assertThat(client.clientSession("example.org").isHandshaking()).isTrue();
        assertThatIOException().isThrownBy(() -> client.clientSession(null));
        assertThatIOException().isThrownBy(client::serverSession);
    }

    @Test
    void systemTrustDoesNotTrustAPrivateAuthority() throws Exception {
        X509Credentials server =
                X509Credentials.server(directory).verifyPeer(false).read();
        try (TlsPair pair = TlsPair.of(X509Credentials.systemTrust().clientSession("localhost"), server.serverSession())
                .shake()) {
            assertThat(pair.clientFailure()).contains("hasn't got a known issuer");
        }
    }

    @Test
    void aReloadTakesUpNewFiles() throws Exception {
        X509Credentials server = X509Credentials.server(directory).read();
        X509Credentials client = X509Credentials.client(good).read();
        authority.issue(
                directory.resolve("server-cert.pem"),
                directory.resolve("server-key.pem"),
                "/CN=renewed",
                "subjectAltName=DNS:localhost");

        assertThat(nameOf(server, client)).isEqualTo("CN=localhost");
        server.reload();
        assertThat(nameOf(server, client)).isEqualTo("CN=renewed");
    }

    @Test
    void aBrokenReloadLeavesAllAsItWas() throws Exception {
        X509Credentials server = X509Credentials.server(directory).read();
        X509Credentials client = X509Credentials.client(good).read();
        replace("client-key.pem", "server-key.pem");

        assertThatIOException().isThrownBy(server::reload).withMessageContaining("is not the key of");
        assertThat(nameOf(server, client)).isEqualTo("CN=localhost");
    }

    @Test
    void anEncryptedKeyIsOpenedByItsPassword() throws Exception {
        Path plain = directory.resolve("server-key.pem");
        Path encrypted = directory.resolve("encrypted.pem");
        ReferenceTools.runOk(
                "openssl",
                "pkcs8",
                "-topk8",
                "-in",
                plain.toString(),
                "-passout",
                "pass:secret",
                "-out",
                encrypted.toString());
        replace("encrypted.pem", "server-key.pem");

        X509Credentials.server(directory).keyPassword("secret").read().reload();
        assertThatIOException()
                .isThrownBy(() -> X509Credentials.server(directory).read())
                .withMessage(plain + ": the key is encrypted, and no password is given");
        assertThatIOException()
                .isThrownBy(() ->
                        X509Credentials.server(directory).keyPassword("wrong").read())
                .withMessage(plain + ": the password does not open the key");
    }

    private void replace(String from, String name) throws IOException {
        Files.copy(directory.resolve(from), directory.resolve(name), StandardCopyOption.REPLACE_EXISTING);
    }

    private static String nameOf(X509Credentials server, X509Credentials client) throws Exception {
        try (TlsPair pair = TlsPair.of(client.clientSession("localhost"), server.serverSession())
                .shaken()) {
            return pair.client.peer().name();
        }
    }
}
