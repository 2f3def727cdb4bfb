package dev.platter.linux;

import java.nio.file.Path;
import java.time.Duration;
import org.jspecify.annotations.Nullable;

/** How an nbd device is connected. Immutable. */
public final class NbdDeviceOptions {
    private static final NbdDeviceOptions DEFAULTS = new NbdDeviceOptions(new Builder());

    private final @Nullable Path device;
    private final boolean readOnly;
    private final int connections;
    private final Duration timeout;
    private final Duration reconnect;
    private final Interface by;

    /** The two ways to tell the kernel of a device. */
    public enum Interface {
        /** Netlink where the kernel has it, else ioctl. */
        AUTO,
        /** Messages of generic netlink, from Linux 4.10 on. The device is there as long as nobody disconnects it. */
        NETLINK,
        /** The older calls on the device's node. A thread of this process is inside one of them as long as the device is there. */
        IOCTL
    }

    private NbdDeviceOptions(Builder from) {
        device = from.device;
        readOnly = from.readOnly;
        connections = from.connections;
        timeout = from.timeout;
        reconnect = from.reconnect;
        by = from.by;
    }

    /** Returns the defaults: a device that is free, writable if what it shows is, one connection, 60 s to answer. */
    public static NbdDeviceOptions defaults() {
        return DEFAULTS;
    }

    /** Returns a builder that begins with the defaults. */
    public static Builder builder() {
        return new Builder();
    }

    /** Returns the device to use, or null for one that is free. */
    public @Nullable Path device() {
        return device;
    }

    /** Returns whether writes are refused, whatever is served. */
    public boolean readOnly() {
        return readOnly;
    }

    /** Returns the most connections. */
    public int connections() {
        return connections;
    }

    /** Returns how long the server may take to answer a request; zero for no limit. */
    public Duration timeout() {
        return timeout;
    }

    /** Returns how long requests wait for {@link NbdDevice#reconnect} when no connection is left; zero for not at all. */
    public Duration reconnect() {
        return reconnect;
    }

    /** Returns the way to tell the kernel. */
    public Interface by() {
        return by;
    }

    /** Builds {@link NbdDeviceOptions}. Not safe for several threads. */
    public static final class Builder {
        private @Nullable Path device;
        private boolean readOnly;
        private int connections = 1;
        private Duration timeout = Duration.ofSeconds(60);
        private Duration reconnect = Duration.ZERO;
        private Interface by = Interface.AUTO;

        private Builder() {}

        /** Sets the device to use: {@code /dev/nbd3}; null, the default, for one that is free. */
        public Builder device(@Nullable Path node) {
            device = node;
            return this;
        }

        /** Refuses writes, also where what is served could be written. */
        public Builder readOnly() {
            readOnly = true;
            return this;
        }

        /**
         * Sets the most connections; 1 if not set. More than one is used only where a flush on one covers what was written by
         * all.
         *
         * @param most 1 to 16
         */
        public Builder connections(int most) {
            if (most < 1 || most > 16) {
                throw new IllegalArgumentException("most: " + most + " is not from 1 to 16");
            }
            connections = most;
            return this;
        }

        /**
         * Sets how long the server may take to answer a request; 60 s if not set. After that, the connection is given up and
         * the request fails (EIO), or is tried on another connection for as long again. A flush on a busy disk takes many
         * seconds, so a short time can lose what was written.
         *
         * @param limit whole seconds; zero for no limit, which lets a server that hangs take what uses the device with it
         */
        public Builder timeout(Duration limit) {
            timeout = requireSeconds(limit);
            return this;
        }

        /**
         * Sets how long requests wait for {@link NbdDevice#reconnect} when no connection is left, before they fail; not at
         * all if not set. Needs {@link Interface#NETLINK}.
         *
         * @param limit whole seconds
         */
        public Builder reconnect(Duration limit) {
            reconnect = requireSeconds(limit);
            return this;
        }

        /** Sets the way to tell the kernel; {@link Interface#AUTO} if not set. */
        public Builder by(Interface way) {
            by = way;
            return this;
        }

        /** Returns the options. */
        public NbdDeviceOptions build() {
            if (by == Interface.IOCTL && !reconnect.isZero()) {
                throw new IllegalArgumentException("reconnect: " + reconnect + " needs netlink");
            }
            return new NbdDeviceOptions(this);
        }

        private static Duration requireSeconds(Duration limit) {
            if (limit.isNegative() || limit.toNanosPart() != 0) {
                throw new IllegalArgumentException("limit: " + limit + " is not of whole seconds, 0 or more");
            }
            return limit;
        }
    }
}
