package dev.platter.cli;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.GeneralSecurityException;
import java.util.Base64;
import javax.crypto.Cipher;
import javax.crypto.spec.IvParameterSpec;
import javax.crypto.spec.SecretKeySpec;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

final class SecretTest {
    private static final byte[] KEY = "0123456789abcdef0123456789abcdef".getBytes(StandardCharsets.US_ASCII);
    private static final byte[] VECTOR = "fedcba9876543210".getBytes(StandardCharsets.US_ASCII);

    @TempDir
    private Path folder;

    @Test
    void dataAreTheSecretOrItsBase64() throws IOException {
        assertThat(secret("data=p,,w").text()).isEqualTo("p,w");
        assertThat(secret("data=cCx3,format=base64").text()).isEqualTo("p,w");
    }

    @Test
    void fileHoldsTheSecretAsItIs() throws IOException {
        Path file = Files.writeString(folder.resolve("pw"), "letmein\n");

        assertThat(secret("file=" + file).text()).isEqualTo("letmein\n");
        assertThatThrownBy(() -> secret("file=" + folder.resolve("none")))
                .hasMessage("Unable to read " + folder.resolve("none") + ": No such file or directory");
    }

    @Test
    void anotherSecretOpensIt() throws IOException, GeneralSecurityException {
        Cipher cipher = Cipher.getInstance("AES/CBC/PKCS5Padding");
        cipher.init(Cipher.ENCRYPT_MODE, new SecretKeySpec(KEY, "AES"), new IvParameterSpec(VECTOR));
        String sealed = base64(cipher.doFinal("letmein".getBytes(StandardCharsets.US_ASCII)));
        String iv = base64(VECTOR);

        assertThat(secret("data=" + sealed + ",keyid=k,iv=" + iv + ",format=base64")
                        .text())
                .isEqualTo("letmein");
        assertThatThrownBy(() -> secret("data=" + sealed + ",keyid=k,format=base64"))
                .hasMessage("IV is required to decrypt secret");
        assertThatThrownBy(() -> secret("data=" + sealed + ",keyid=k,iv=AAAA,format=base64"))
                .hasMessage("IV should be 16 bytes in length not 3");
        assertThatThrownBy(() -> secret("data=AAAA,keyid=k,iv=" + iv + ",format=base64"))
                .hasMessageContaining("cannot be decrypted");
    }

    private static String base64(byte[] bytes) {
        return Base64.getEncoder().encodeToString(bytes);
    }

    private static Secret secret(String options) throws IOException {
        Secret key = Secret.of(DottedOptions.parse("data=" + base64(KEY) + ",format=base64", "x", false), id -> {
            throw new StartFailure(id);
        });
        return Secret.of(DottedOptions.parse(options, "x", false), id -> key);
    }
}
