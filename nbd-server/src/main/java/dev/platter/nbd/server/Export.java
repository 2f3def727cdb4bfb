package dev.platter.nbd.server;

import dev.platter.core.BlockDevice;
import dev.platter.core.BlockDevices;
import dev.platter.core.Printable;
import dev.platter.nbd.protocol.WireText;
import java.io.IOException;
import java.util.List;

/**
 * One disk that a server offers. Immutable.
 *
 * <p>Several writable exports of one image must be views of one open device that do not overlap: what one client's cache
 * holds is nothing that another client's write could change.
 */
public final class Export {
    private final String name;
    private final String description;
    private final DeviceOpener opener;
    private final boolean readOnly;
    private final int maximumClients;
    private final boolean allocationDepth;
    private final List<String> bitmaps;

    private Export(Builder builder, DeviceOpener opener) {
        this.name = builder.name;
        this.description = builder.description;
        this.opener = opener;
        this.readOnly = builder.readOnly;
        this.maximumClients = builder.maximumClients;
        this.allocationDepth = builder.allocationDepth;
        this.bitmaps = builder.bitmaps;
    }

    /**
     * Begins an export.
     *
     * @param name by which clients ask for it; the empty name is the default export
     * @throws IllegalArgumentException if the name has more than 4096 bytes of UTF-8, or a NUL
     */
    public static Builder named(String name) {
        WireText.bytes(name);
        return new Builder(name);
    }

    /** Builds an export. */
    public static final class Builder {
        private final String name;
        private String description = "";
        private boolean readOnly;
        private int maximumClients = Integer.MAX_VALUE;
        private boolean allocationDepth;
        private List<String> bitmaps = List.of();

        private Builder(String name) {
            this.name = name;
        }

        /**
         * Sets what a person is told of it.
         *
         * @throws IllegalArgumentException if the text has more than 4096 bytes of UTF-8, or a NUL
         */
        public Builder description(String text) {
            WireText.bytes(text);
            description = text;
            return this;
        }

        /** Refuses writes, whatever the device can do. */
        public Builder readOnly() {
            readOnly = true;
            return this;
        }

        /**
         * Sets how many clients may have it at once; any number by default.
         *
         * @throws IllegalArgumentException if that is less than 1
         */
        public Builder maximumClients(int clients) {
            if (clients < 1) {
                throw new IllegalArgumentException("clients: " + clients + " is less than 1");
            }
            maximumClients = clients;
            return this;
        }

        /** Offers the context {@code qemu:allocation-depth}. */
        public Builder allocationDepth() {
            allocationDepth = true;
            return this;
        }

        /** Offers the contexts {@code qemu:dirty-bitmap:NAME} of these bitmaps, which the device has to know. */
        public Builder bitmaps(List<String> names) {
            bitmaps = List.copyOf(names);
            return this;
        }

        /** Serves a device that is open already. The server never closes it. */
        public Export of(BlockDevice device) {
            return new Export(this, () -> new LentDevice(device));
        }

        /** Serves a device that is opened for the first client that may have it, and closed after the last. */
        public Export openedBy(DeviceOpener opener) {
            return new Export(this, opener);
        }
    }

    /** Returns the name; empty for the default export. */
    public String name() {
        return name;
    }

    /** Returns what a person is told of it; empty if nothing. */
    public String description() {
        return description;
    }

    /** Returns how many clients may have it at once. */
    public int maximumClients() {
        return maximumClients;
    }

    /** Returns whether the context {@code qemu:allocation-depth} is offered. */
    public boolean showsAllocationDepth() {
        return allocationDepth;
    }

    /** Returns the bitmaps that are offered as contexts. */
    public List<String> bitmaps() {
        return bitmaps;
    }

    BlockDevice open() throws IOException {
        BlockDevice device = opener.open();
        return readOnly && !device.features().readOnly()
                ? BlockDevices.owning(BlockDevices.readOnly(device), device)
                : device;
    }

    @Override
    public String toString() {
        return name.isEmpty() ? "the default export" : "export " + Printable.quote(name);
    }
}
