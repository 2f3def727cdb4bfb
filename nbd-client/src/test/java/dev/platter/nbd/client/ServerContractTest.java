package dev.platter.nbd.client;

import dev.platter.core.BlockDevice;
import dev.platter.testkit.BlockDeviceContract;
import dev.platter.testkit.Contents;
import dev.platter.testkit.DeviceFixture;
import dev.platter.testkit.ServerProcess;
import dev.platter.testkit.TempImages;
import java.io.IOException;
import java.nio.file.Path;
import org.junit.jupiter.api.Nested;
import org.junit.jupiter.api.io.TempDir;

/** The contract over servers that others wrote. */
class ServerContractTest {
    private static final long SIZE = 3 << 20;

    private static DeviceFixture fixture(ServerProcess server, boolean writable, NbdClientOptions.Builder options)
            throws IOException {
        try {
            BlockDevice export = NbdClient.to(server.uri(""))
                    .with(options.writable(writable).build())
                    .open();
            DeviceFixture fixture = writable
                    ? DeviceFixture.writable(export, Contents.testBytes(SIZE))
                    : DeviceFixture.readOnly(export, Contents.testBytes(SIZE));
            return fixture.closing(server);
        } catch (IOException | RuntimeException e) {
            server.close();
            throw e;
        }
    }

    private static String raw(Path folder) throws IOException {
        return TempImages.raw(folder, "disk", Contents.testBytes(SIZE)).toString();
    }

    @Nested
    class QemuNbdOnAUnixSocket extends BlockDeviceContract {
        @TempDir
        Path folder;

        @Override
        protected DeviceFixture open() throws IOException {
            ServerProcess server = ServerProcess.qemuNbd(folder, "-f", "raw", "--discard=unmap", raw(folder));
            return ServerContractTest.fixture(server, true, NbdClientOptions.builder());
        }
    }

    @Nested
    class QemuNbdByTcpWithSeveralConnections extends BlockDeviceContract {
        @TempDir
        Path folder;

        @Override
        protected DeviceFixture open() throws IOException {
            ServerProcess server = ServerProcess.qemuNbdTcp("-f", "raw", "-e", "8", raw(folder));
            return ServerContractTest.fixture(
                    server, true, NbdClientOptions.builder().connections(4));
        }
    }

    @Nested
    class QemuNbdOfAnImageWithHoles extends BlockDeviceContract {
        @TempDir
        Path folder;

        @Override
        protected DeviceFixture open() throws IOException {
            Path raw = TempImages.raw(folder, "disk", Contents.zeros(1 << 20).then(Contents.testBytes(SIZE)));
            Path image = TempImages.qemuConvert(raw, "disk.qcow2", "qcow2");
            ServerProcess server = ServerProcess.qemuNbd(folder, "-r", "-f", "qcow2", image.toString());
            try {
                NbdExport export = NbdClient.to(server.uri("")).open();
                return DeviceFixture.readOnly(export, Contents.zeros(1 << 20).then(Contents.testBytes(SIZE)))
                        .closing(server);
            } catch (IOException | RuntimeException e) {
                server.close();
                throw e;
            }
        }
    }

    @Nested
    class NbdkitThatTakesBlocksOnly extends BlockDeviceContract {
        @TempDir
        Path folder;

        @Override
        protected DeviceFixture open() throws IOException {
            ServerProcess server = ServerProcess.nbdkit(
                    folder,
                    "--filter=blocksize-policy",
                    "file",
                    raw(folder),
                    "blocksize-minimum=4096",
                    "blocksize-preferred=65536",
                    "blocksize-maximum=64k",
                    "blocksize-error-policy=error");
            return ServerContractTest.fixture(server, true, NbdClientOptions.builder());
        }
    }

    @Nested
    class NbdkitWithSimpleReplies extends BlockDeviceContract {
        @TempDir
        Path folder;

        @Override
        protected DeviceFixture open() throws IOException {
            ServerProcess server = ServerProcess.nbdkit(folder, "--no-sr", "file", raw(folder));
            return ServerContractTest.fixture(server, true, NbdClientOptions.builder());
        }
    }

    @Nested
    class NbdkitWithTheOldHandshake extends BlockDeviceContract {
        @TempDir
        Path folder;

        @Override
        protected DeviceFixture open() throws IOException {
            ServerProcess server = ServerProcess.nbdkit(folder, "-o", "-r", "file", raw(folder));
            return ServerContractTest.fixture(
                    server, false, NbdClientOptions.builder().oldstyle(true));
        }
    }
}
