package dev.platter.nbd.tls;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIOException;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.IOException;
import java.lang.reflect.InvocationTargetException;
import java.net.URL;
import java.net.URLClassLoader;
import java.nio.file.Files;
import java.nio.file.Path;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** What is asked of the file of keys, and what is said about it. */
@Timeout(60)
class PskCredentialsTest {
    @TempDir
    Path folder;

    private Path file;

    @BeforeEach
    void writeKeys() throws IOException {
        file = Files.writeString(folder.resolve("keys.psk"), "alice:00112233445566778899aabbccddeeff\nqemu:0011\n");
    }

    @Test
    void aMissingFileIsNamed() {
        Path missing = folder.resolve("none.psk");

        assertThatIOException()
                .isThrownBy(() -> PskCredentials.server(missing))
                .withMessage("Unable to access credentials " + missing + ": No such file or directory");
    }

    @Test
    void aUserWithoutAKeyIsNamed() {
        assertThatIOException()
                .isThrownBy(() -> PskCredentials.client(file, "bob"))
                .withMessage("Username bob not found in PSK file " + file);
    }

    @ParameterizedTest
    @ValueSource(strings = {"alice", "alice:", "alice:0", "alice:xy", ":0011", "alice:00 11"})
    void aLineThatHoldsNoKeyIsRefusedWithoutShowingIt(String line) throws IOException {
        Files.writeString(file, "qemu:0011\n\n" + line + "\n");

        assertThatIOException()
                .isThrownBy(() -> PskCredentials.server(file))
                .withMessage(file + ": line 3 is not user:key with a key in hexadecimal digits");
    }

    @Test
    void anIdentityIsNotLongerThanPeersTake() throws IOException {
        Files.writeString(file, "é".repeat(64) + ":00\n");
        PskCredentials.server(file);

        Files.writeString(file, "é".repeat(64) + "x:00\n");
        assertThatIOException().isThrownBy(() -> PskCredentials.server(file));
    }

    @Test
    void linesMayEndAsOnWindowsAndBeEmpty() throws IOException {
        Files.writeString(file, "\r\nalice:00FF\r\n   \r\n");

        assertThat(PskCredentials.client(file, "alice").clientSession(null).isHandshaking())
                .isTrue();
    }

    @Test
    void eachSideIsForItsOwnEndpoint() throws IOException {
        PskCredentials server = PskCredentials.server(file);
        PskCredentials client = PskCredentials.client(file, "alice");

        assertThatIOException()
                .isThrownBy(() -> server.clientSession(null))
                .withMessage("Expected TLS credentials for a client endpoint");
        assertThatIOException()
                .isThrownBy(client::serverSession)
                .withMessage("Expected TLS credentials for a server endpoint");
    }

    @Test
    void aReloadTakesUpNewKeys() throws Exception {
        PskCredentials server = PskCredentials.server(file);
        Files.writeString(file, "bob:2233\n");
        PskCredentials bob = PskCredentials.client(file, "bob");

        try (TlsPair pair =
                TlsPair.of(bob.clientSession(null), server.serverSession()).shake()) {
            assertThat(pair.serverFailure()).isNotEqualTo("null");
        }
        server.reload();
        try (TlsPair pair =
                TlsPair.of(bob.clientSession(null), server.serverSession()).shaken()) {
            assertThat(pair.server.peer().name()).isEqualTo("bob");
        }
    }

    @Test
    void aBrokenReloadLeavesAllAsItWas() throws Exception {
        PskCredentials server = PskCredentials.server(file);
        PskCredentials alice = PskCredentials.client(file, "alice");
        Files.writeString(file, "nonsense");

        assertThatIOException().isThrownBy(server::reload);
        assertThatIOException().isThrownBy(alice::reload);
        try (TlsPair pair =
                TlsPair.of(alice.clientSession(null), server.serverSession()).shaken()) {
            assertThat(pair.server.peer().name()).isEqualTo("alice");
        }
    }

    @Test
    void withoutTheLibraryOneSentenceSaysWhatIsMissing() throws Exception {
        URL[] without = {placeOf(PskCredentials.class), placeOf(Nullable.class)};
        try (URLClassLoader loader = new URLClassLoader(without, null)) {
            Class<?> credentials = loader.loadClass(PskCredentials.class.getName());

            assertThatThrownBy(() -> credentials.getMethod("server", Path.class).invoke(null, file))
                    .isInstanceOf(InvocationTargetException.class)
                    .cause()
                    .isInstanceOf(IOException.class)
                    .hasMessage("TLS with pre-shared keys needs BouncyCastle, which is not there: add bctls-jdk18on,"
                            + " bcutil-jdk18on and bcprov-jdk18on");
        }
    }

    private static URL placeOf(Class<?> type) {
        return type.getProtectionDomain().getCodeSource().getLocation();
    }
}
