package dev.platter.testkit;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.io.InputStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.DigestInputStream;
import java.security.GeneralSecurityException;
import java.security.MessageDigest;
import java.util.HexFormat;
import java.util.List;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

class CorpusTest {

    static List<CorpusImage> images() {
        return Corpus.assumeCorpus().images();
    }

    @Test
    void imagesOfEachCategoryAreThere() {
        Corpus corpus = Corpus.assumeCorpus();

        assertThat(corpus.images("good")).isNotEmpty();
        assertThat(corpus.images("odd")).isNotEmpty();
        assertThat(corpus.images("hostile")).isNotEmpty();
        assertThat(corpus.sets()).allSatisfy(set -> assertThat(set.disks()).isNotEmpty());
    }

    @Test
    void imageIsUnpackedOnceWithTheFilesItRequires() throws IOException {
        Corpus corpus = Corpus.assumeCorpus();

        Path top = corpus.unpack("chain-top.qcow2");

        assertThat(top.resolveSibling("chain-mid.qcow2")).exists();
        assertThat(top.resolveSibling("chain-base.raw")).exists();
        assertThat(corpus.unpack("chain-top.qcow2")).isEqualTo(top);
    }

    @Test
    void imagesThatRequireEachOtherAreUnpacked() throws IOException {
        Path one = Corpus.assumeCorpus().unpack("h-backing-cycle-a.qcow2");

        assertThat(one.resolveSibling("h-backing-cycle-b.qcow2")).exists();
    }

    @Test
    void copyIsTheCallersOwn(@TempDir Path folder) throws IOException {
        Path copy = Corpus.assumeCorpus().copy("h-backing-cycle-a.qcow2", folder);

        assertThat(copy).hasParent(folder);
        assertThat(folder.resolve("h-backing-cycle-b.qcow2")).exists();
    }

    @ParameterizedTest
    @MethodSource("images")
    @Tag("long")
    void unpackedImageIsThatOfTheManifest(CorpusImage image) throws IOException, GeneralSecurityException {
        MessageDigest digest = MessageDigest.getInstance("SHA-256");

        try (InputStream in =
                new DigestInputStream(Files.newInputStream(Corpus.assumeCorpus().unpack(image.file())), digest)) {
            in.transferTo(java.io.OutputStream.nullOutputStream());
        }

        assertThat(HexFormat.of().formatHex(digest.digest())).isEqualTo(image.sha256());
    }
}
