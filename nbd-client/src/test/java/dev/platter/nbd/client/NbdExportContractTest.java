package dev.platter.nbd.client;

import dev.platter.nbd.protocol.BlockSizes;
import dev.platter.nbd.protocol.Options;
import dev.platter.nbd.protocol.ReplyHeader.Form;
import dev.platter.testkit.BlockDeviceContract;
import dev.platter.testkit.Contents;
import dev.platter.testkit.DeviceFixture;
import dev.platter.testkit.TestBytes;
import java.io.IOException;
import org.junit.jupiter.api.Nested;

/** The contract over an honest server in memory, in all the ways that requests can lie and replies can look. */
class NbdExportContractTest {

    private static DeviceFixture inMemory(Form form, int block, int most) throws IOException {
        FakeServer server = new FakeServer(s -> {
            s.disk = TestBytes.of(0, (int) FakeServer.SIZE);
            s.replies = form;
            s.sizes = new BlockSizes(block, Math.max(4096, block), most);
            if (form == Form.EXTENDED) {
                s.greet();
                s.expect(Options.EXTENDED_HEADERS);
                s.ack(Options.EXTENDED_HEADERS);
                s.agreeOnContexts();
                s.go();
            } else {
                s.open();
            }
            s.serve();
        });
        NbdClientOptions options = NbdClientOptions.builder()
                .writable(true)
                .extendedHeaders(form == Form.EXTENDED)
                .build();
        return DeviceFixture.writable(NbdClient.attach(server.client, "", options), Contents.testBytes(FakeServer.SIZE))
                .closing(server);
    }

    @Nested
    class OfBytes extends BlockDeviceContract {
        @Override
        protected DeviceFixture open() throws IOException {
            return inMemory(Form.STRUCTURED, 1, 32 << 20);
        }
    }

    @Nested
    class OfSectorsInShortRequests extends BlockDeviceContract {
        @Override
        protected DeviceFixture open() throws IOException {
            return inMemory(Form.SIMPLE, 512, 4096);
        }
    }

    @Nested
    class OfLargeBlocksWithExtendedHeaders extends BlockDeviceContract {
        @Override
        protected DeviceFixture open() throws IOException {
            return inMemory(Form.EXTENDED, 65_536, 65_536);
        }
    }
}
