package dev.platter.testkit;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatCode;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.platter.core.DiskImageException;
import dev.platter.core.Reference;
import dev.platter.core.ReferencePolicy;
import dev.platter.core.ReferenceRefusedException;
import java.io.IOException;
import java.nio.file.FileSystem;
import java.nio.file.FileSystems;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Map;
import org.assertj.core.api.AbstractThrowableAssert;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class ReferencePolicyTest {
    @TempDir
    Path folder;

    private Path images = Path.of("");
    private Path outside = Path.of("");
    private ReferencePolicy policy = ReferencePolicy.none();

    @BeforeEach
    void makeFolders() throws IOException {
        images = Files.createDirectory(folder.resolve("images"));
        outside = Files.createDirectory(folder.resolve("outside"));
        Files.writeString(images.resolve("base.raw"), "base");
        Files.writeString(outside.resolve("secret"), "secret");
        policy = ReferencePolicy.under(images);
    }

    private Reference reference(String name) {
        return reference(name, images.resolve(name));
    }

    private static Reference reference(String name, @Nullable Path path) {
        return new Reference(Reference.Kind.BACKING_FILE, "web.qcow2", name, path);
    }

    private static AbstractThrowableAssert<?, ?> assertRefused(ReferencePolicy policy, Reference reference) {
        return assertThatThrownBy(() -> policy.check(reference))
                .as(reference.toString())
                .isInstanceOf(ReferenceRefusedException.class)
                .hasMessageStartingWith("web.qcow2: backing file \"");
    }

    @ParameterizedTest
    @ValueSource(strings = {"base.raw", "/etc/passwd", "../outside/secret", "missing"})
    void noneRefusesEveryNameAndSaysHowToAllowIt(String name) {
        assertRefused(ReferencePolicy.none(), reference(name)).hasMessageContaining("ReferencePolicy.under");
    }

    @ParameterizedTest
    @ValueSource(
            strings = {"json:{\"file\":{}}", "nbd://host/disk", "nbd:unix:/sock", "file:///etc/passwd", "fat:/etc"})
    void noneAndUnderRefuseWhatIsNoFileName(String name) {
        assertRefused(ReferencePolicy.none(), reference(name, null));
        assertRefused(policy, reference(name, null)).hasMessageContaining("only plain file names");
    }

    @ParameterizedTest
    @ValueSource(strings = {"base.raw", "./base.raw", "../images/base.raw", "../outside/../images/base.raw"})
    void underAllowsFilesInTheFolderHoweverNamed(String name) {
        assertThatCode(() -> policy.check(reference(name))).doesNotThrowAnyException();
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "../outside/secret",
                "../outside/missing",
                "../images2/base.raw",
                "../../../../../../../etc/passwd",
                "/etc/passwd",
                "/dev/sda",
                "..",
                "../outside"
            })
    void underRefusesWhatLeadsElsewhereByItsText(String name) {
        assertRefused(policy, reference(name)).hasMessageContaining("not in an allowed folder");
    }

    @Test
    void refusedFilesAreNotEvenLookedAt() throws IOException {
        // whoever looks at the loop, or at a closed file system, gets another exception
        Path loop = Files.createSymbolicLink(outside.resolve("loop"), Path.of("loop"));
        Path closed;
        try (FileSystem zip = FileSystems.newFileSystem(folder.resolve("a.zip"), Map.of("create", "true"))) {
            closed = zip.getPath("/base.raw");
        }

        for (ReferencePolicy each : new ReferencePolicy[] {ReferencePolicy.none(), policy}) {
            assertRefused(each, reference("../outside/loop/base", loop.resolve("base")));
            assertRefused(each, reference("base.raw", closed));
        }
    }

    @Test
    void answerIsTheSameWhetherAForbiddenFileExistsOrNot() {
        String there = message(reference("../outside/secret"));
        String missing = message(reference("../outside/nothing"));

        assertThat(missing.replace("nothing", "secret")).isEqualTo(there);
    }

    private String message(Reference reference) {
        try {
            policy.check(reference);
            return "";
        } catch (IOException e) {
            return String.valueOf(e.getMessage());
        }
    }

    @Test
    void linkThatLeadsOutIsRefusedAndLinkThatLeadsInIsNot() throws IOException {
        Files.createSymbolicLink(images.resolve("out"), outside.resolve("secret"));
        Files.createSymbolicLink(images.resolve("outDir"), outside);
        Files.createSymbolicLink(images.resolve("in"), images.resolve("base.raw"));
        Path door = Files.createSymbolicLink(folder.resolve("door"), images);

        assertRefused(policy, reference("out")).hasMessageContaining("outside the allowed folders");
        assertRefused(policy, reference("outDir/secret"));
        assertThatCode(() -> policy.check(reference("outDir/../images/base.raw")))
                .doesNotThrowAnyException();
        assertThatCode(() -> policy.check(reference("in"))).doesNotThrowAnyException();
        assertThatCode(() -> ReferencePolicy.under(door).check(reference("base.raw")))
                .doesNotThrowAnyException();
        assertThatCode(() -> ReferencePolicy.under(door).check(reference("base.raw", door.resolve("base.raw"))))
                .doesNotThrowAnyException();
    }

    @Test
    @Timeout(60)
    void foldersPipesAndDevicesAreRefused() throws IOException {
        ReferenceTools.assumeTool("mkfifo");
        ReferenceTools.runOk("mkfifo", images.resolve("pipe").toString());
        Files.createDirectory(images.resolve("sub"));

        assertRefused(policy, reference("pipe")).hasMessageContaining("no regular file");
        assertRefused(policy, reference("sub")).hasMessageContaining("no regular file");
        assertRefused(policy, reference("")).hasMessageContaining("no regular file");
        assertRefused(ReferencePolicy.under(Path.of("/dev")), reference("/dev/zero"))
                .hasMessageContaining("no regular file");
    }

    @Test
    void missingFileInTheFolderIsSaidToBeMissing() {
        assertThatThrownBy(() -> policy.check(reference("missing\u001b")))
                .isExactlyInstanceOf(DiskImageException.class)
                .hasMessageContaining("\"missing\\x1b\" does not exist");
    }

    @Test
    void namesThatTheSystemCannotFollowAreErrorsOfTheImage() throws IOException {
        Files.createSymbolicLink(images.resolve("loop"), Path.of("loop"));
        for (String name : new String[] {"loop", "base.raw/x\u001b[2J", "n".repeat(300), "d/".repeat(3000) + "x"}) {
            assertThatThrownBy(() -> policy.check(reference(name)))
                    .isInstanceOf(DiskImageException.class)
                    .message()
                    .doesNotContain("\u001b");
        }
    }

    @Test
    void severalFoldersAreAllowedAndNoneAtAllAllowsNothing() {
        ReferencePolicy both = ReferencePolicy.under(folder.resolve("not there"), outside, images);

        assertThatCode(() -> both.check(reference("base.raw"))).doesNotThrowAnyException();
        assertThatCode(() -> both.check(reference("../outside/secret"))).doesNotThrowAnyException();
        assertRefused(ReferencePolicy.under(), reference("base.raw"));
    }

    @Test
    void allAllowsEverything() {
        assertThatCode(() -> ReferencePolicy.all().check(reference("nbd://host", null)))
                .doesNotThrowAnyException();
        assertThatCode(() -> ReferencePolicy.all().check(reference("/etc/passwd")))
                .doesNotThrowAnyException();
    }
}
