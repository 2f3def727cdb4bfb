package dev.platter.linux;

import dev.platter.core.BlockDevice;
import dev.platter.nbd.server.ClientInfo;
import dev.platter.nbd.server.Export;
import dev.platter.nbd.server.NbdServer;
import dev.platter.nbd.server.ServerListener;
import java.io.IOException;

/** A server in this process, for a device that stays open when it ends. */
final class OwnServer implements NbdPeer {
    private static final String EXPORT = "";
    private static final int PR_SET_IO_FLUSHER = 57;

    private final BlockDevice device;
    private final NbdGeometry geometry;
    private final NbdServer server;

    private OwnServer(BlockDevice device, NbdGeometry geometry, NbdServer server) {
        this.device = device;
        this.geometry = geometry;
        this.server = server;
    }

    static OwnServer of(BlockDevice device) throws IOException {
        NbdGeometry geometry = NbdGeometry.of(device);
        NbdServer server = NbdServer.builder()
                .export(Export.named(EXPORT).of(device))
                .listener(new Flushers())
                .start();
        return new OwnServer(device, geometry, server);
    }

    /**
     * Tells the kernel which threads write back its pages: while they do, it does not make them wait for the writing back of
     * others. Without the right to say so (CAP_SYS_RESOURCE), or before Linux 5.6, it works all the same, except where
     * memory is so short that nothing can be had before these pages are written.
     */
    private static final class Flushers implements ServerListener {
        @Override
        public void connected(ClientInfo client) {
            LibC.prctl(PR_SET_IO_FLUSHER, 1, 0, 0, 0);
        }
    }

    @Override
    public String name() {
        return device.description();
    }

    @Override
    public NbdGeometry geometry() {
        return geometry;
    }

    @Override
    public Descriptor connect() throws IOException {
        SocketPair pair = SocketPair.open();
        try {
            server.attachTo(EXPORT, pair.serverEnd());
            return pair.kernelEnd();
        } catch (IOException | RuntimeException e) {
            pair.close();
            throw e;
        }
    }

    @Override
    public void close() throws IOException {
        server.close();
        device.flush();
    }
}
