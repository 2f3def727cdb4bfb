package dev.platter.linux;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.platter.core.BlockIOException;
import dev.platter.testkit.TempImages;
import dev.platter.testkit.TestBytes;
import java.io.IOException;
import java.io.InputStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class DevicePartitionsTest {
    private static final int SIZE = 1 << 20;

    @TempDir
    @SuppressWarnings("NullAway.Init") // by JUnit
    private Path folder;

    @SuppressWarnings("NullAway.Init") // by each test
    private LoopDevice loop;

    @BeforeEach
    void attach() throws IOException {
        KernelDevices.assumeLoop();
        loop = LoopDevice.attach(TempImages.raw(folder, "disk.raw", TestBytes.of(0, SIZE)), LoopOptions.ofReadOnly());
    }

    @AfterEach
    @SuppressWarnings("NullAway") // null where devices cannot be made
    void nothingIsLeft() throws IOException {
        if (loop != null) {
            loop.close();
            assertThat(SysBlock.partitions(loop.path())).isEmpty();
        }
        KernelDevices.assertNothingLeft(folder);
    }

    private static DevicePartitions.Range range(int number, long start, long length) {
        return new DevicePartitions.Range(number, start, length);
    }

    @Test
    void partitionsAreAddedWhereTheyLie() throws IOException {
        List<Path> nodes = DevicePartitions.ensure(loop.path(), List.of(range(1, 4096, 8192), range(200, 65536, 512)));

        assertThat(nodes).containsExactly(Path.of(loop.path() + "p1"), Path.of(loop.path() + "p200"));
        try (InputStream in = Files.newInputStream(nodes.get(0))) {
            assertThat(in.readAllBytes()).isEqualTo(TestBytes.of(4096, 8192));
        }
        try (InputStream in = Files.newInputStream(nodes.get(1))) {
            assertThat(in.readAllBytes()).isEqualTo(TestBytes.of(65536, 512));
        }
    }

    @Test
    void equalOneIsAcceptedAndAnotherOneIsNot() throws IOException {
        DevicePartitions.ensure(loop.path(), List.of(range(1, 4096, 8192)));
        DevicePartitions.ensure(loop.path(), List.of(range(1, 4096, 8192), range(2, 12288, 512)));

        assertThat(SysBlock.partitions(loop.path())).hasSize(2);
        assertThatThrownBy(() -> DevicePartitions.ensure(loop.path(), List.of(range(1, 4096, 4096))))
                .hasMessageContaining("the kernel found it at 4096 with 8192 bytes");
    }

    @Test
    void whatTheKernelRefusesIsSaid() {
        assertThatThrownBy(() -> DevicePartitions.ensure(loop.path(), List.of(range(1, 0, 8192), range(2, 4096, 8192))))
                .isInstanceOf(BlockIOException.class)
                .hasMessageContaining("p2: the kernel takes no partition from 4096 of 8192 bytes: it overlaps");
        assertThatThrownBy(() -> DevicePartitions.ensure(loop.path(), List.of(range(3, SIZE, 8192))))
                .hasMessageContaining("it leaves the device");
    }

    @Test
    void openPartitionKeepsAll() throws IOException {
        List<Path> nodes = DevicePartitions.ensure(loop.path(), List.of(range(1, 4096, 8192), range(2, 65536, 512)));
        try (Descriptor open = Descriptor.open(nodes.get(1), LibC.O_RDONLY)) {
            assertThat(open.number()).isNotNegative();
            assertThatThrownBy(loop::close)
                    .isInstanceOfSatisfying(
                            BlockIOException.class, e -> assertThat(e.kind()).isEqualTo(BlockIOException.Kind.BUSY))
                    .hasMessageContaining("java");
            assertThat(SysBlock.partitions(loop.path())).hasSize(2);
            assertThat(loop.status()).isNotNull();
        }
    }

    @Test
    void namesFollowTheKernel() {
        assertThat(DevicePartitions.node(Path.of("/dev/nbd0"), 3)).isEqualTo(Path.of("/dev/nbd0p3"));
        assertThat(DevicePartitions.node(Path.of("/dev/sda"), 3)).isEqualTo(Path.of("/dev/sda3"));
    }
}
