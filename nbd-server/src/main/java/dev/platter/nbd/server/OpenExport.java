package dev.platter.nbd.server;

import dev.platter.core.BlockDevice;
import dev.platter.core.BlockStatus;
import dev.platter.core.BlockStatusSource;
import java.io.IOException;
import java.util.ArrayList;
import java.util.List;
import org.jspecify.annotations.Nullable;

/** An export and its device, which all its clients share: opened for the first, closed after the last. */
final class OpenExport {
    private final Export export;
    private @Nullable BlockDevice device;
    private int holders;
    private int clients;
    private volatile boolean copies;

    OpenExport(Export export) {
        this.export = export;
    }

    Export export() {
        return export;
    }

    /** Opens the device, or shares it. Each call is matched by one of {@link #release}. */
    synchronized BlockDevice acquire() throws IOException {
        BlockDevice open = device;
        if (open == null) {
            open = export.open();
            device = open;
        }
        holders++;
        return open;
    }

    synchronized void release() throws IOException {
        BlockDevice open = device;
        if (--holders == 0 && open != null) {
            device = null;
            open.close();
        }
    }

    /** Counts a client that wants to transfer data; returns false if there are as many as there may be. */
    synchronized boolean admit() {
        if (clients >= export.maximumClients()) {
            return false;
        }
        clients++;
        return true;
    }

    synchronized void leave() {
        clients--;
    }

    synchronized int clients() {
        return clients;
    }

    /** Returns whether contents are read before they are promised, because sending them unread failed. */
    boolean copies() {
        return copies;
    }

    void copyFromNowOn() {
        copies = true;
    }

    /** Returns the contexts that this export offers, of those that its device knows. */
    List<String> contexts(BlockDevice open) {
        List<String> known = BlockStatus.contexts(open);
        List<String> offered = new ArrayList<>();
        offered.add(BlockStatusSource.BASE_ALLOCATION);
        if (export.showsAllocationDepth()) {
            offered.add(BlockStatusSource.ALLOCATION_DEPTH);
        }
        for (String bitmap : export.bitmaps()) {
            String context = BlockStatusSource.DIRTY_BITMAP + bitmap;
            if (known.contains(context)) {
                offered.add(context);
            }
        }
        return offered;
    }
}
