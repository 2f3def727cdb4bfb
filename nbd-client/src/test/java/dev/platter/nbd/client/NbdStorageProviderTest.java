package dev.platter.nbd.client;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.platter.core.BlockDevices;
import dev.platter.core.BlockIOException;
import dev.platter.core.DiskImage;
import dev.platter.core.DiskImageException;
import dev.platter.core.DiskImages;
import dev.platter.core.Durability;
import dev.platter.core.Extents;
import dev.platter.core.OpenOptions;
import dev.platter.core.ReferencePolicy;
import dev.platter.core.Storage;
import dev.platter.core.Storages;
import dev.platter.core.Warning;
import dev.platter.testkit.Contents;
import dev.platter.testkit.TempImages;
import dev.platter.testkit.TestBytes;
import java.io.IOException;
import java.net.URI;
import java.nio.ByteBuffer;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Exports opened by their addresses, as images are. */
@Timeout(120)
class NbdStorageProviderTest {
    @TempDir
    Path folder;

    private byte[] disk = new byte[0];
    private URI address = URI.create("nbd:///");
    private @Nullable FakeListener listener;
    private final List<Warning> warnings = new ArrayList<>();

    @BeforeEach
    void listen() throws IOException {
        disk = TestBytes.of(0, (int) FakeServer.SIZE);
        FakeListener listening = new FakeListener(folder, s -> {
            s.disk = disk;
            s.size = disk.length;
            s.open();
            s.serve();
        });
        listener = listening;
        address = URI.create(listening.uri());
    }

    @AfterEach
    void close() throws Exception {
        if (listener != null) {
            listener.join();
        }
    }

    private OpenOptions options() {
        return OpenOptions.builder().onWarning(warnings::add).build();
    }

    @Test
    void exportIsARawDisk() throws Exception {
        try (DiskImage image = DiskImages.open(address, options())) {
            assertThat(image.info().format()).isEqualTo("raw");
            assertThat(image.description()).isEqualTo(address.toString());
            Contents.of(disk).assertAll(image);
            assertThat(Extents.at(image, 0).allocated()).isTrue();
            assertThat(image.features().readOnly()).isTrue();
            Contents.of(disk).slice(512, 1024).assertAll(BlockDevices.slice(image, "part", 512, 1024));
        }
        assertThat(warnings).isEmpty();
    }

    @Test
    void exportThatBeginsAsQcow2IsTheRawDiskThatItIs() throws Exception {
        Path secret = Files.writeString(folder.resolve("secret"), "secret");
        Path overlay =
                TempImages.qemu(folder, "overlay.qcow2", "qcow2", 1 << 20, "-u", "-F", "raw", "-b", secret.toString());
        disk = Files.readAllBytes(overlay);
        OpenOptions everything =
                options().toBuilder().references(ReferencePolicy.all()).build();

        try (DiskImage image = DiskImages.open(address, everything)) {
            assertThat(image.info().format()).isEqualTo("raw");
            assertThat(image.backing()).isNull();
            Contents.of(disk).assertAll(image);
        }

        assertThat(warnings)
                .singleElement()
                .asString()
                .contains("begins as qcow2 and is shown as the raw disk that it is", "--format=qcow2");
    }

    @Test
    void formatOfTheFileBehindADiskIsExplained() {
        OpenOptions qcow2 = options().toBuilder().format("qcow2").build();

        assertThatThrownBy(() -> DiskImages.open(address, qcow2))
                .isInstanceOf(DiskImageException.class)
                .hasMessageStartingWith(address + ": this does not begin as qcow2: it is the disk that the guest sees")
                .hasMessageContaining("leave the format out (--format=qcow2)");
    }

    @Test
    void exportOfTheFilesOwnBytesIsOpenedInTheFormatThatIsStated() throws Exception {
        Path raw = TempImages.raw(folder, "raw", Contents.testBytes(100_000));
        disk = Files.readAllBytes(TempImages.qemuConvert(raw, "image.qcow2", "qcow2"));

        try (DiskImage image =
                DiskImages.open(address, options().toBuilder().format("qcow2").build())) {
            assertThat(image.info().format()).isEqualTo("qcow2");
            Contents.testBytes(100_000).assertRead(image, 0, 99_840);
        }
        assertThat(warnings).isEmpty();
    }

    @Test
    void exportIsWrittenWhereThatIsAskedFor() throws Exception {
        OpenOptions writable = options().toBuilder().writable(true).build();
        byte[] header = {'Q', 'F', 'I', (byte) 0xfb};

        try (DiskImage image = DiskImages.open(address, writable)) {
            image.write(0, ByteBuffer.wrap(header), Durability.FUA);
            image.flush();
        }

        assertThat(disk).startsWith(header);
    }

    @Test
    void sizeOfAnExportIsFixed() throws Exception {
        try (Storage storage =
                Storages.open(address, options().toBuilder().writable(true).build())) {
            assertThat(storage.isDisk()).isTrue();
            assertThatThrownBy(() -> storage.setSize(5))
                    .isInstanceOfSatisfying(
                            BlockIOException.class,
                            e -> assertThat(e.kind()).isEqualTo(BlockIOException.Kind.NOT_SUPPORTED));
            assertThatThrownBy(() -> storage.write(FakeServer.SIZE, ByteBuffer.allocate(1)))
                    .isInstanceOfSatisfying(
                            BlockIOException.class,
                            e -> assertThat(e.kind()).isEqualTo(BlockIOException.Kind.NO_SPACE));
            ByteBuffer into = ByteBuffer.allocate(100);
            assertThat(storage.read(FakeServer.SIZE - 10, into)).isEqualTo(10);
            assertThat(into.position()).isEqualTo(10);
            assertThat(storage.read(Long.MAX_VALUE, into)).isZero();
            assertThat(storage.allocatedSize()).isEmpty();
            assertThat(storage.path()).isNull();
        }
    }

    @Test
    void sameExportHasTheSameIdentity() throws Exception {
        try (Storage one = Storages.open(address, options());
                Storage other = Storages.open(address, options())) {
            assertThat(one.identity()).isEqualTo(other.identity());
        }
    }

    @ParameterizedTest
    @ValueSource(strings = {"nbd+unix:///x", "nbd://h:0", "nbds://h?tls-type=none", "nbd://h?socket=/s", "nbd:x"})
    void whatIsNoAddressIsRefused(String text) {
        assertThatThrownBy(() -> DiskImages.open(URI.create(text), options())).isInstanceOf(BlockIOException.class);
    }

    @Test
    void serverThatIsNotThereIsNamed() {
        assertThatThrownBy(() -> DiskImages.open(URI.create("nbd+unix:///?socket=/nowhere"), options()))
                .isInstanceOf(BlockIOException.class)
                .hasMessageContaining("nbd+unix:///?socket=/nowhere: cannot be connected to");
    }
}
