package dev.platter.linux;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class RunFolderTest {
    @TempDir
    @SuppressWarnings("NullAway.Init") // by JUnit
    private Path folder;

    @Test
    void folderIsMadeForItsOwnerAlone() throws IOException {
        RunFolder run = RunFolder.open(folder.resolve("run"));
        Path binding = run.make("a.b-c_d");

        assertThat(PosixFilePermissions.toString(Files.getPosixFilePermissions(binding)))
                .isEqualTo("rwx------");
        assertThat(RunFolder.open(folder.resolve("run")).tags()).containsExactly("a.b-c_d");
        assertThatThrownBy(() -> run.make("a.b-c_d")).hasMessageContaining("the tag a.b-c_d is in use");
    }

    @Test
    void folderThatOthersMayChangeIsNotTrusted() throws IOException {
        Path open = Files.createDirectory(folder.resolve("open"));
        Files.setPosixFilePermissions(open, PosixFilePermissions.fromString("rwxr-xr-x"));
        Path own = RunFolder.open(folder.resolve("own")).make("tag").getParent();
        Path link = Files.createSymbolicLink(folder.resolve("link"), own);

        assertThatThrownBy(() -> RunFolder.open(open)).hasMessageContaining("open: must be a folder that belongs");
        assertThatThrownBy(() -> RunFolder.open(link)).hasMessageContaining("link: must be a folder that belongs");
    }

    @Test
    void namesBecomeTags() throws IOException {
        RunFolder run = RunFolder.open(folder.resolve("run"));

        assertThat(run.makeLike("../a b\n").getFileName()).hasToString("a-b");
        assertThat(run.makeLike("a b").getFileName()).hasToString("a-b-2");
        assertThat(run.makeLike("…").getFileName()).hasToString("disk");
        assertThatThrownBy(() -> RunFolder.requireTag(".hidden")).isInstanceOf(IllegalArgumentException.class);
        assertThatThrownBy(() -> run.of("none")).hasMessageContaining("nothing is bound by this tag");
    }
}
