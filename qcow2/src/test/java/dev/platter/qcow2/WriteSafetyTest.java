package dev.platter.qcow2;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.platter.core.BlockIOException;
import dev.platter.core.CorruptImageException;
import dev.platter.core.DiskImage;
import dev.platter.core.DiskImages;
import dev.platter.core.Durability;
import dev.platter.core.OpenOptions;
import dev.platter.core.ReferencePolicy;
import dev.platter.testkit.CrashStorage;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.file.FileAlreadyExistsException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** What an image says never leads a write, or a cluster that is given back, to its tables or to another file. */
final class WriteSafetyTest {
    private static final int CLUSTER = 4096;
    private static final OpenOptions WRITABLE =
            OpenOptions.builder().writable(true).build();

    @TempDir
    private Path folder;

    @ParameterizedTest
    @ValueSource(longs = {L2Entry.COMPRESSED, L2Entry.COMPRESSED | 100})
    void clusterOfTheHeaderIsNotGivenBack(long entry) throws IOException {
        byte[] image = new Qcow2Builder(3, 12, 8 * CLUSTER).entry(2, entry, 0).build();
        CrashStorage storage = new CrashStorage("hostile.qcow2", image);

        try (DiskImage opened = DiskImages.open(storage, WRITABLE)) {
            assertThatThrownBy(() -> opened.discard(2 * CLUSTER, CLUSTER))
                    .isInstanceOf(CorruptImageException.class)
                    .hasMessageContaining("the header");
            assertThatThrownBy(() -> opened.write(0, ByteBuffer.allocate(512), Durability.NONE))
                    .isInstanceOf(CorruptImageException.class);
        }

        byte[] after = storage.contents();
        assertThat(Qcow2Header.read(Qcow2Builder.storage(after)).isCorrupt()).isTrue();
        assertThat(Arrays.copyOfRange(after, CLUSTER, image.length))
                .isEqualTo(Arrays.copyOfRange(image, CLUSTER, image.length));
    }

    @Test
    void flushThatFailedIsNotCalledASuccessLater() throws IOException {
        CrashStorage storage = new CrashStorage("failing.qcow2", new Qcow2Builder(3, 12, 8 * CLUSTER).build());
        try (DiskImage opened = DiskImages.open(storage, WRITABLE)) {
            opened.write(0, ByteBuffer.allocate(CLUSTER), Durability.NONE);
            // refcounts are written, making them durable fails
            storage.failAfter(1);
            assertThatThrownBy(opened::flush).isInstanceOf(BlockIOException.class);
            storage.failAfter(Long.MAX_VALUE);
            assertThatThrownBy(opened::flush)
                    .isInstanceOf(BlockIOException.class)
                    .hasMessageContaining("opened again");
            opened.read(0, ByteBuffer.allocate(CLUSTER));
        } catch (BlockIOException e) {
            assertThat(e).hasMessageContaining("opened again");
        }
        try (DiskImage again = DiskImages.open(storage, WRITABLE)) {
            again.write(0, ByteBuffer.allocate(CLUSTER), Durability.FUA);
        }
    }

    @Test
    void bytesGoToTheDataFileAndAnExistingOneIsNeverTaken() throws IOException {
        Path image = folder.resolve("a.qcow2");
        Path data = folder.resolve("a.data");
        CreateOptions create =
                CreateOptions.builder(1 << 20).dataFile("a.data", true).build();
        Qcow2.create(image, create);
        OpenOptions options =
                WRITABLE.toBuilder().references(ReferencePolicy.under(folder)).build();

        try (DiskImage opened = DiskImages.open(image, options)) {
            opened.write(70_000, ByteBuffer.wrap(new byte[] {1, 2, 3}), Durability.FUA);
        }

        assertThat(Arrays.copyOfRange(Files.readAllBytes(data), 69_999, 70_004)).containsExactly(0, 1, 2, 3, 0);
        Files.delete(image);
        assertThatThrownBy(() ->
                        Qcow2.create(image, create.toBuilder().overwrite(true).build()))
                .isInstanceOf(FileAlreadyExistsException.class);
        assertThat(Files.size(data)).isEqualTo(1 << 20);
    }
}
