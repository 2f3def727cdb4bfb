package dev.platter.nbd.tls;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIOException;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class PemFilesTest {
    @TempDir
    Path folder;

    @Test
    void textAroundTheBlocksIsPassedOver() throws IOException {
        List<PemFiles.Block> blocks = blocks("X.509 Certificate Information:\n\tVersion: 3\n\n-----BEGIN ONE-----\n"
                + "AAEC\n-----END ONE-----\ntext\n-----BEGIN TWO THINGS-----\n-----END TWO THINGS-----\nmore");

        assertThat(blocks).extracting(PemFiles.Block::label).containsExactly("ONE", "TWO THINGS");
        assertThat(blocks.get(0).der()).containsExactly(0, 1, 2);
        assertThat(blocks.get(1).der()).isEmpty();
    }

    @Test
    void linesEndInAnyWay() throws IOException {
        assertThat(blocks("-----BEGIN A-----\r\nAAEC\r\nAw==\r\n-----END A-----\r\n")
                        .get(0)
                        .der())
                .containsExactly(0, 1, 2, 3);
        assertThat(blocks("-----BEGIN A-----\rAAEC\r-----END A-----").get(0).der())
                .containsExactly(0, 1, 2);
        assertThat(blocks("-----BEGIN A-----  \n  AAEC  \n-----END A-----\t")
                        .get(0)
                        .der())
                .containsExactly(0, 1, 2);
    }

    @Test
    void headersAreKept() throws IOException {
        assertThat(blocks("-----BEGIN A-----\nProc-Type: 4,ENCRYPTED\n\nAAEC\n-----END A-----\n")
                        .get(0)
                        .headers())
                .containsExactly("Proc-Type: 4,ENCRYPTED");
    }

    @Test
    void aBlockWithoutAnEndIsRefused() {
        assertThatIOException()
                .isThrownBy(() -> blocks("\n-----BEGIN A-----\nAAEC\n-----END B-----\n"))
                .withMessageEndingWith(": line 2: A has no end");
    }

    @Test
    void whatIsNotBase64IsRefused() {
        assertThatIOException()
                .isThrownBy(() -> blocks("-----BEGIN A-----\n!!!\n-----END A-----\n"))
                .withMessageEndingWith(": line 2: A is not Base64");
    }

    @Test
    void aCertificateOfRubbishIsRefused() throws IOException {
        Path file = file("-----BEGIN CERTIFICATE-----\nAAEC\n-----END CERTIFICATE-----\n");

        assertThatIOException()
                .isThrownBy(() -> PemFiles.certificates(file))
                .withMessageStartingWith(file + ": certificate 1: ");
    }

    @Test
    void aListOfRubbishIsRefused() throws IOException {
        Path file = file("-----BEGIN X509 CRL-----\nAAEC\n-----END X509 CRL-----\n");

        assertThatIOException()
                .isThrownBy(() -> PemFiles.revocationLists(file))
                .withMessageStartingWith(file + ": list 1: ");
    }

    @Test
    void dashesAloneAreText() throws IOException {
        assertThat(blocks("-----BEGIN \n-----BEGIN -\n-----BEGIN\n-----\n")).isEmpty();
    }

    private List<PemFiles.Block> blocks(String text) throws IOException {
        return PemFiles.blocks(file(text));
    }

    private Path file(String text) throws IOException {
        return Files.writeString(folder.resolve("some.pem"), text);
    }
}
