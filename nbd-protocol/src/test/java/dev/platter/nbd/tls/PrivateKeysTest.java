package dev.platter.nbd.tls;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIOException;

import dev.platter.testkit.ReferenceTools;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.PrivateKey;
import java.security.PublicKey;
import java.util.Base64;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/** Keys as openssl and certtool write them. */
@Timeout(120)
class PrivateKeysTest {
    @TempDir
    static Path shared;

    private static TestAuthority authority;

    @TempDir
    Path folder;

    @BeforeAll
    static void makeAuthority() throws IOException {
        authority = TestAuthority.create(shared.resolve("authority"), "Test authority");
    }

    @ParameterizedTest
    @CsvSource({
        "RSA, genpkey -algorithm RSA -pkeyopt rsa_keygen_bits:2048 -out KEY",
        "RSA, genrsa -traditional -out KEY 2048",
        "RSASSA-PSS, genpkey -algorithm RSA-PSS -pkeyopt rsa_keygen_bits:2048 -out KEY",
        "EC, genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -out KEY",
        "EC, genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-384 -out KEY",
        "EC, ecparam -genkey -name prime256v1 -out KEY",
        "EC, ecparam -genkey -noout -name secp521r1 -out KEY",
        "EdDSA, genpkey -algorithm ED25519 -out KEY",
        "EdDSA, genpkey -algorithm ED448 -out KEY"
    })
    void keysOfOpensslAreRead(String algorithm, String command) throws Exception {
        Path key = folder.resolve("key.pem");
        openssl(command.replace("KEY", key.toString()));

        readsAndSigns(key, algorithm);
    }

    @ParameterizedTest
    @CsvSource({
        "RSA, --key-type=rsa --bits=2048",
        "RSA, --key-type=rsa --bits=2048 --pkcs8 --password=",
        "RSA, --key-type=rsa --bits=2048 --no-text",
        "EC, --key-type=ecdsa --curve=secp256r1",
        "EC, --key-type=ecdsa --curve=secp384r1 --pkcs8 --password=",
        "EdDSA, --key-type=ed25519",
        "RSASSA-PSS, --key-type=rsa-pss --bits=2048 --hash=sha256"
    })
    void keysOfCerttoolAreRead(String algorithm, String options) throws Exception {
        ReferenceTools.assumeTool("certtool");
        Path key = folder.resolve("key.pem");
        String[] command = ("certtool --generate-privkey " + options + " --outfile " + key).split(" ", -1);
        ReferenceTools.runOk(command);

        readsAndSigns(key, algorithm);
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "-v2 aes-256-cbc",
                "-v2 aes-128-cbc -v2prf hmacWithSHA1",
                "-v2 aes-256-cbc -v2prf hmacWithSHA512",
                "-v1 PBE-SHA1-3DES"
            })
    void encryptedKeysAreOpened(String form) throws Exception {
        Path plain = folder.resolve("plain.pem");
        Path encrypted = folder.resolve("encrypted.pem");
        openssl("genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -out " + plain);
        openssl("pkcs8 -topk8 " + form + " -passout pass:secret -in " + plain + " -out " + encrypted);

        PrivateKey opened = PrivateKeys.read(encrypted, "secret");

        assertThat(opened).isEqualTo(PrivateKeys.read(plain, null));
        assertThatIOException()
                .isThrownBy(() -> PrivateKeys.read(encrypted, "Secret"))
                .withMessage(encrypted + ": the password does not open the key");
        assertThatIOException()
                .isThrownBy(() -> PrivateKeys.read(encrypted, null))
                .withMessageContaining("no password is given");
    }

    @Test
    void theOldEncryptionOfOpensslIsRefusedByName() throws IOException {
        Path key = folder.resolve("key.pem");
        openssl("genrsa -traditional -aes128 -passout pass:secret -out " + key + " 2048");

        assertThatIOException()
                .isThrownBy(() -> PrivateKeys.read(key, "secret"))
                .withMessageContaining("(Proc-Type: 4,ENCRYPTED), which is not supported");
    }

    @Test
    void aKeyOfAnotherKindIsRefusedByName() throws IOException {
        Path key = folder.resolve("key.pem");
        openssl("genpkey -algorithm X25519 -out " + key);

        assertThatIOException()
                .isThrownBy(() -> PrivateKeys.read(key, null))
                .withMessage(key + ": keys of algorithm 1.3.101.110 are not supported; RSA, EC and EdDSA are");
    }

    @Test
    void anEcKeyWithoutItsCurveTakesItFromTheParametersBefore() throws Exception {
        Path key = folder.resolve("key.pem");
        openssl("ecparam -genkey -name prime256v1 -out " + key);
        String text = Files.readString(key);
        byte[] whole = PemFiles.blocks(key).get(1).der();
        Der parts = new Der(whole).enter(Der.SEQUENCE);
        byte[] version = parts.element();
        byte[] secret = parts.element();
        byte[] bare = Der.element(Der.SEQUENCE, version, secret);
        String block = "-----BEGIN EC PRIVATE KEY-----\n" + Base64.getEncoder().encodeToString(bare)
                + "\n-----END EC PRIVATE KEY-----\n";
        Path bareKey = Files.writeString(
                folder.resolve("bare.pem"), text.substring(0, text.indexOf("-----BEGIN EC PRIVATE")) + block);

        assertThat(PrivateKeys.read(bareKey, null).getAlgorithm()).isEqualTo("EC");
        Files.writeString(bareKey, block);
        assertThatIOException()
                .isThrownBy(() -> PrivateKeys.read(bareKey, null))
                .withMessageEndingWith("the EC key does not name its curve");
    }

    @Test
    void aFileWithoutAKeyIsRefused() throws IOException {
        Path key = Files.writeString(folder.resolve("key.pem"), "");

        assertThatIOException()
                .isThrownBy(() -> PrivateKeys.read(key, null))
                .withMessage(key + ": holds no private key in PEM");
    }

    @ParameterizedTest
    @ValueSource(strings = {"PRIVATE KEY", "RSA PRIVATE KEY", "EC PRIVATE KEY", "ENCRYPTED PRIVATE KEY"})
    void aKeyOfRubbishIsRefused(String label) throws IOException {
        Path key = Files.writeString(
                folder.resolve("key.pem"), "-----BEGIN " + label + "-----\nMAMCAQA=\n-----END " + label + "-----\n");

        assertThatIOException().isThrownBy(() -> PrivateKeys.read(key, "x")).withMessageStartingWith(key + ": ");
    }

    private void readsAndSigns(Path file, String algorithm) throws Exception {
        PrivateKey key = PrivateKeys.read(file, null);
        Path certificate = folder.resolve("cert.pem");
        authority.sign(certificate, file, "/CN=key", "subjectAltName=DNS:localhost");
        PublicKey known = PemFiles.certificates(certificate).get(0).getPublicKey();

        assertThat(key.getAlgorithm()).isEqualTo(algorithm);
        assertThat(PrivateKeys.isPair(key, known)).isTrue();
        assertThat(PrivateKeys.isPair(
                        key,
                        PemFiles.certificates(authority.certificate()).get(0).getPublicKey()))
                .isFalse();
        serves(file, certificate);
    }

    /** A key that is read has to be good for TLS too. */
    private void serves(Path key, Path certificate) throws Exception {
        Path directory = Files.createDirectory(folder.resolve("server"));
        Files.copy(authority.certificate(), directory.resolve("ca-cert.pem"));
        Files.copy(certificate, directory.resolve("server-cert.pem"));
        Files.copy(key, directory.resolve("server-key.pem"));
        Files.copy(certificate, directory.resolve("client-cert.pem"));
        Files.copy(key, directory.resolve("client-key.pem"));
        try (TlsPair pair = TlsPair.of(
                        X509Credentials.client(directory).read().clientSession("localhost"),
                        X509Credentials.server(directory).read().serverSession())
                .shaken()) {
            assertThat(pair.server.peer().name()).isEqualTo("CN=key");
        }
    }

    private static void openssl(String arguments) throws IOException {
        ReferenceTools.runOk(("openssl " + arguments).split(" ", -1));
    }
}
