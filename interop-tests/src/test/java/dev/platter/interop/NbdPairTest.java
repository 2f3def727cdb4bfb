package dev.platter.interop;

import static org.assertj.core.api.Assertions.assertThat;

import dev.platter.core.BlockDevice;
import dev.platter.core.BlockStatusSource;
import dev.platter.core.Comparison;
import dev.platter.core.DiskImage;
import dev.platter.core.DiskImages;
import dev.platter.core.Durability;
import dev.platter.core.OpenOptions;
import dev.platter.inspect.ImageInspector;
import dev.platter.nbd.client.NbdClient;
import dev.platter.nbd.client.NbdClientOptions;
import dev.platter.nbd.client.NbdExport;
import dev.platter.nbd.server.Export;
import dev.platter.nbd.server.NbdServer;
import dev.platter.qcow2.CreateOptions;
import dev.platter.qcow2.Qcow2;
import dev.platter.qcow2.Qcow2Disk;
import java.io.IOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.UnixDomainSocketAddress;
import java.nio.ByteBuffer;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Our client against our server: what the README shows. */
class NbdPairTest {
    private static final Path GUEST = ProjectFiles.root().resolve("examples/images/lvm-guest.qcow2");

    @TempDir
    private Path folder;

    private static String uri(NbdServer server, String export) {
        return server.addresses().get(0) instanceof InetSocketAddress address
                ? "nbd://127.0.0.1:" + address.getPort() + "/" + export
                : "nbd+unix:///" + export + "?socket=" + server.addresses().get(0);
    }

    @Test
    void one_volume_of_a_guest_is_served_by_its_name() throws IOException {
        try (ImageInspector guest = ImageInspector.open(GUEST);
                BlockDevice root = guest.device("/dev/vg0/root");
                NbdServer server = NbdServer.builder()
                        .bind(new InetSocketAddress(InetAddress.getLoopbackAddress(), 0))
                        .catalog(guest)
                        .start();
                NbdExport remote = NbdClient.to(uri(server, "vg0/root")).open()) {
            assertThat(remote.size()).isEqualTo(root.size());
            assertThat(Comparison.firstDifference(remote, root)).isEmpty();
        }
    }

    @Test
    void a_remote_disk_is_inspected_as_a_local_one() throws IOException {
        try (ImageInspector guest = ImageInspector.open(GUEST);
                NbdServer server = NbdServer.builder()
                        .bind(UnixDomainSocketAddress.of(folder.resolve("s")))
                        .export(Export.named("").readOnly().openedBy(() -> guest.device("/dev/sda")))
                        .start();
                NbdExport remote = NbdClient.to(uri(server, "")).open();
                ImageInspector inspected = ImageInspector.of(remote)) {
            assertThat(inspected.listFileSystems()).isEqualTo(guest.listFileSystems());
        }
    }

    @Test
    void the_dirty_ranges_of_a_bitmap_cross_the_network() throws IOException {
        Path image = folder.resolve("disk.qcow2");
        Qcow2.create(image, CreateOptions.builder(8 << 20).build());
        OpenOptions writable =
                OpenOptions.builder().format("qcow2").writable(true).build();
        try (DiskImage disk = DiskImages.open(image, writable)) {
            ((Qcow2Disk) disk).addBitmap("nightly", 65536, true);
            try (NbdServer server = NbdServer.builder()
                            .bind(UnixDomainSocketAddress.of(folder.resolve("s")))
                            .export(Export.named("").bitmaps(List.of("nightly")).of(disk))
                            .start();
                    NbdExport remote = NbdClient.to(uri(server, ""))
                            .with(NbdClientOptions.builder()
                                    .writable(true)
                                    .contexts(List.of("base:allocation", "qemu:dirty-bitmap:nightly"))
                                    .build())
                            .open()) {
                remote.write(1 << 20, ByteBuffer.allocate(4096), Durability.FUA);
                List<String> dirty = new ArrayList<>();
                remote.status("qemu:dirty-bitmap:nightly", 0, remote.size(), (offset, length, status) -> {
                    if (status == BlockStatusSource.DIRTY) {
                        dirty.add(offset + "+" + length);
                    }
                    return true;
                });
                assertThat(dirty).containsExactly("1048576+65536");
            }
        }
    }
}
