package dev.platter.core;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Assumptions;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class ReferenceResolverTest {
    private static final OpenOptions ALL =
            OpenOptions.builder().references(ReferencePolicy.all()).build();

    @TempDir
    Path folder;

    private final List<Storage> opened = new ArrayList<>();
    private Path top = Path.of("");

    @BeforeEach
    void makeFiles() throws IOException {
        top = Files.writeString(folder.resolve("top.img"), "top");
        Files.writeString(folder.resolve("base.raw"), "base");
    }

    @AfterEach
    void closeAll() throws IOException {
        for (Storage storage : opened) {
            storage.close();
        }
    }

    private ReferenceResolver resolver(Path image, OpenOptions options, ReferenceResolver overlay) throws IOException {
        Storage storage = Storages.open(image, false);
        opened.add(storage);
        return new ReferenceResolver(storage, options, overlay);
    }

    private ReferenceResolver resolver(OpenOptions options) throws IOException {
        Storage storage = Storages.open(top, false);
        opened.add(storage);
        return new ReferenceResolver(storage, options, null);
    }

    @Test
    void backingFileThatTheMediumCannotReadIsAProblemOfTheImage() throws IOException {
        // nothing is mapped at address 0: the kernel answers as it does for a bad sector
        Assumptions.assumeTrue(Files.isReadable(Path.of("/proc/self/mem")), "there is no /proc/self/mem");
        ReferenceResolver resolver =
                resolver(ALL.toBuilder().probeBackingFormat(true).build());

        assertThatThrownBy(() -> resolver.openBacking("/proc/self/mem", null))
                .isInstanceOf(DiskImageException.class)
                .hasMessageContaining(
                        "top.img: backing file \"/proc/self/mem\" cannot be opened: mem: read of 4096 at 0: ");
    }

    @Test
    void relativeNameIsLookedForBesideTheImage() throws IOException {
        ReferenceResolver resolver = resolver(ALL);

        try (DiskImage backing = resolver.openBacking("base.raw", "raw");
                Storage data = resolver.openDataFile("./base.raw")) {
            assertThat(backing.size()).isEqualTo(4);
            assertThat(backing.features().readOnly()).isTrue();
            assertThat(data.isReadOnly()).isTrue();
        }
        assertThat(resolver.resolve("base.raw"))
                .isEqualTo(folder.resolve("base.raw").toString());
        assertThat(resolver.resolve("nbd://host/disk")).isEqualTo("nbd://host/disk");
    }

    @Test
    void nothingIsOpenedByDefault() throws IOException {
        ReferenceResolver resolver = resolver(OpenOptions.defaults());

        assertThatThrownBy(() -> resolver.openBacking("base.raw", "raw"))
                .isInstanceOf(ReferenceRefusedException.class)
                .hasMessageStartingWith("top.img: backing file \"base.raw\" may not be opened");
        assertThatThrownBy(() -> resolver.openDataFile("base.raw"))
                .isInstanceOf(ReferenceRefusedException.class)
                .hasMessageStartingWith("top.img: data file \"base.raw\"");
    }

    @Test
    void backingFileWithoutFormatIsRefusedUnlessProbingWasAllowed() throws IOException {
        assertThatThrownBy(() -> resolver(ALL).openBacking("base.raw", null))
                .isInstanceOf(ReferenceRefusedException.class)
                .hasMessageContaining("does not state its format");

        OpenOptions probing = ALL.toBuilder().probeBackingFormat(true).build();
        try (DiskImage backing = resolver(probing).openBacking("base.raw", null)) {
            assertThat(backing.info().format()).isEqualTo("raw");
        }
    }

    @Test
    void formatOfTheTopImageIsNotThatOfTheBackingFile() throws IOException {
        OpenOptions stated = ALL.toBuilder().format("raw").build();

        assertThatThrownBy(() -> resolver(stated).openBacking("base.raw", "vmdk"))
                .isInstanceOf(UnsupportedFeatureException.class)
                .hasMessageContaining("\"vmdk\"");
    }

    @Test
    void imageThatIsItsOwnBackingFileIsCorruptUnderAnyName() throws IOException {
        Files.createSymbolicLink(folder.resolve("other name"), top);
        Files.createLink(folder.resolve("hard"), top);

        for (String name : List.of("top.img", "./top.img", "other name", "hard")) {
            assertThatThrownBy(() -> resolver(ALL).openBacking(name, "raw"))
                    .isInstanceOf(CorruptImageException.class)
                    .hasMessageContaining("is the image itself");
            assertThatThrownBy(() -> resolver(ALL).openDataFile(name)).isInstanceOf(CorruptImageException.class);
        }
    }

    @Test
    void chainThatLeadsBackToItsTopIsCorrupt() throws IOException {
        ReferenceResolver first = resolver(ALL);
        ReferenceResolver second = resolver(folder.resolve("base.raw"), ALL, first);

        assertThatThrownBy(() -> second.openBacking("top.img", "raw"))
                .isInstanceOf(CorruptImageException.class)
                .hasMessageContaining("never ends");
    }

    @Test
    void chainEndsAtTheLimit() throws IOException {
        OpenOptions two =
                ALL.toBuilder().limits(Limits.defaults().withChainDepth(2)).build();
        ReferenceResolver first = resolver(two);
        first.openBacking("base.raw", "raw").close();
        ReferenceResolver second = resolver(folder.resolve("base.raw"), two, first);

        assertThatThrownBy(() -> second.openBacking("third.raw", "raw"))
                .isInstanceOf(LimitExceededException.class)
                .hasMessageContaining("longer than 2 images");
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "missing",
                "missing/../..",
                "",
                ".",
                "base.raw/x",
                "a\u0000b",
                "\u001b[2J",
                "json:{\"driver\":\"raw\"}",
                "json:",
                ":",
                "nbd:unix:/x",
                "nbd://host:99999999999/x",
                "gopher://host/x",
                "file:relative",
                "file://host/x",
                "file:///%00",
                "file:///missing/\u0007",
                "fat:rw:/",
                "http://[::1",
                "\ud800",
            })
    void nameThatCannotBeOpenedIsAnErrorOfTheImage(String name) throws IOException {
        ReferenceResolver resolver = resolver(ALL);
        OpenOptions inFolder =
                ALL.toBuilder().references(ReferencePolicy.under(folder)).build();
        ReferenceResolver limited = resolver(inFolder);

        for (ReferenceResolver each : List.of(resolver, limited)) {
            assertThatThrownBy(() -> each.openBacking(name, "raw"))
                    .isInstanceOf(DiskImageException.class)
                    .message()
                    .startsWith("top.img: backing file \"")
                    .matches(text -> text.chars().noneMatch(Character::isISOControl), "has no control characters");
            assertThatThrownBy(() -> each.openDataFile(name)).isInstanceOf(DiskImageException.class);
            assertThat(each.resolve(name)).isNotNull();
        }
    }

    @Test
    void imageWithoutAFolderHasOnlyAbsoluteNames() throws IOException {
        Storage memory = Storages.of(BlockDevices.ofBytes("memory", ByteBuffer.allocate(1)));
        ReferenceResolver resolver = new ReferenceResolver(memory, ALL, null);

        assertThatThrownBy(() -> resolver.openBacking("base.raw", "raw")).isInstanceOf(DiskImageException.class);
        try (DiskImage backing = resolver.openBacking(folder.resolve("base.raw").toString(), "raw")) {
            assertThat(backing.size()).isEqualTo(4);
        }
    }
}
