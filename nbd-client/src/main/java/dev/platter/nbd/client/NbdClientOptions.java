package dev.platter.nbd.client;

import dev.platter.core.Warning;
import dev.platter.nbd.tls.TlsCredentials;
import java.time.Duration;
import java.util.List;
import java.util.concurrent.Executor;
import java.util.concurrent.ForkJoinPool;
import java.util.function.Consumer;
import org.jspecify.annotations.Nullable;

/**
 * How exports are opened and used. Immutable; the defaults read only, over one connection, and never connect again. All
 * durations are 0 or more; 0 means no limit.
 */
public final class NbdClientOptions {
    private static final NbdClientOptions DEFAULTS = new NbdClientOptions(new Builder());

    private final boolean writable;
    private final int connections;
    private final int requestsInFlight;
    private final Duration connectTimeout;
    private final Duration handshakeTimeout;
    private final Duration requestTimeout;
    private final Duration reconnect;
    private final @Nullable List<String> contexts;
    private final boolean oldstyle;
    private final boolean structuredReplies;
    private final boolean extendedHeaders;
    private final @Nullable TlsCredentials tls;
    private final Executor completions;
    private final Consumer<? super Warning> onWarning;

    private NbdClientOptions(Builder from) {
        writable = from.writable;
        connections = from.connections;
        requestsInFlight = from.requestsInFlight;
        connectTimeout = from.connectTimeout;
        handshakeTimeout = from.handshakeTimeout;
        requestTimeout = from.requestTimeout;
        reconnect = from.reconnect;
        contexts = from.contexts;
        oldstyle = from.oldstyle;
        structuredReplies = from.structuredReplies;
        extendedHeaders = from.extendedHeaders;
        tls = from.tls;
        completions = from.completions;
        onWarning = from.onWarning;
    }

    /** Returns the defaults. */
    public static NbdClientOptions defaults() {
        return DEFAULTS;
    }

    /** Returns a builder that begins with the defaults. */
    public static Builder builder() {
        return new Builder();
    }

    /** Returns whether writes are to be allowed. */
    public boolean writable() {
        return writable;
    }

    /** Returns the most connections that one export uses. */
    public int connections() {
        return connections;
    }

    /** Returns the most requests that wait for their replies on one connection. */
    public int requestsInFlight() {
        return requestsInFlight;
    }

    /** Returns how long the connecting itself may take. */
    public Duration connectTimeout() {
        return connectTimeout;
    }

    /** Returns how long everything from then until the first request may take, TLS included. */
    public Duration handshakeTimeout() {
        return handshakeTimeout;
    }

    /** Returns how long a request may take, from its first byte to the last of its reply. */
    public Duration requestTimeout() {
        return requestTimeout;
    }

    /** Returns how long a lost connection is tried again; zero for not at all. */
    public Duration reconnect() {
        return reconnect;
    }

    /** Returns the metadata contexts that are asked for, or null for all that the server has. */
    public @Nullable List<String> contexts() {
        return contexts;
    }

    /** Returns whether servers are accepted that know the oldstyle handshake only. */
    public boolean oldstyle() {
        return oldstyle;
    }

    /** Returns whether structured replies are asked for. */
    public boolean structuredReplies() {
        return structuredReplies;
    }

    /** Returns whether extended headers are asked for. */
    public boolean extendedHeaders() {
        return extendedHeaders;
    }

    /** Returns the credentials for TLS, or null for what the address says. */
    public @Nullable TlsCredentials tls() {
        return tls;
    }

    /** Returns what runs what follows on asynchronous requests. */
    public Executor completions() {
        return completions;
    }

    /** Returns what takes the warnings. */
    public Consumer<? super Warning> onWarning() {
        return onWarning;
    }

    /** Builds {@link NbdClientOptions}. Not safe for several threads. */
    public static final class Builder {
        private boolean writable;
        private int connections = 1;
        private int requestsInFlight = Slots.MOST;
        private Duration connectTimeout = Duration.ofSeconds(10);
        private Duration handshakeTimeout = Duration.ofSeconds(10);
        private Duration requestTimeout = Duration.ofSeconds(60);
        private Duration reconnect = Duration.ZERO;
        private @Nullable List<String> contexts;
        private boolean oldstyle;
        private boolean structuredReplies = true;
        private boolean extendedHeaders;
        private @Nullable TlsCredentials tls;
        private Executor completions = ForkJoinPool.commonPool();
        private Consumer<? super Warning> onWarning = warning -> {};

        private Builder() {}

        /** Sets whether writes are to be allowed; an export that is read-only is then refused. */
        public Builder writable(boolean allowed) {
            writable = allowed;
            return this;
        }

        /**
         * Sets the most connections that one export uses; 1 if not set. More than one is used only where the server says that
         * a flush on one covers all (CAN_MULTI_CONN).
         *
         * @param most 1 to 16
         */
        public Builder connections(int most) {
            connections = requireIn("most", most, 16);
            return this;
        }

        /**
         * Sets the most requests that wait for their replies on one connection; further ones wait until there is room.
         *
         * @param most 1 to 64, which is the default
         */
        public Builder requestsInFlight(int most) {
            requestsInFlight = requireIn("most", most, Slots.MOST);
            return this;
        }

        /** Sets how long the connecting itself may take; 10 s if not set. Looking up a name is up to the system. */
        public Builder connectTimeout(Duration limit) {
            connectTimeout = requireLimit(limit);
            return this;
        }

        /** Sets how long everything from then until the first request may take, TLS included; 10 s if not set. */
        public Builder handshakeTimeout(Duration limit) {
            handshakeTimeout = requireLimit(limit);
            return this;
        }

        /**
         * Sets how long a request may take, from its first byte to the last of its reply; 60 s if not set. When the time is
         * up, the connection is given up, with all requests on it.
         */
        public Builder requestTimeout(Duration limit) {
            requestTimeout = requireLimit(limit);
            return this;
        }

        /**
         * Sets how long a lost connection is tried again; not at all if not set. What only reads is then asked again by
         * itself. A write that may have happened never is: it fails, and so does the next flush, because what was written
         * before may be lost with the server.
         */
        public Builder reconnect(Duration limit) {
            reconnect = requireLimit(limit);
            return this;
        }

        /**
         * Sets the metadata contexts to ask for, at most 64; all that the server has, if not set. Each answer about one of
         * them tells of all others too, so fewer are faster where there are many.
         */
        public Builder contexts(List<String> names) {
            if (names.size() > Negotiated.MOST_CONTEXTS) {
                throw new IllegalArgumentException(
                        "names: " + names.size() + " contexts are more than " + Negotiated.MOST_CONTEXTS);
            }
            contexts = List.copyOf(names);
            return this;
        }

        /**
         * Sets whether servers are accepted that know the oldstyle handshake only; false if not set. Such a server has one
         * export without a name, no TLS and no block status.
         */
        public Builder oldstyle(boolean accepted) {
            oldstyle = accepted;
            return this;
        }

        /** Sets whether structured replies are asked for, without which there is no block status; true if not set. */
        public Builder structuredReplies(boolean asked) {
            structuredReplies = asked;
            return this;
        }

        /**
         * Sets whether extended headers are asked for, an extension of the protocol that is not final; false if not set.
         * Servers that do not know them are used without.
         */
        public Builder extendedHeaders(boolean asked) {
            extendedHeaders = asked;
            return this;
        }

        /** Sets the credentials for TLS, instead of those that the address names. They do not turn TLS on: the scheme does. */
        public Builder tls(@Nullable TlsCredentials credentials) {
            tls = credentials;
            return this;
        }

        /**
         * Sets what runs what follows on asynchronous requests; the common pool if not set. {@code Runnable::run} runs it in
         * the thread that reads replies, which must not wait for anything.
         */
        public Builder completions(Executor executor) {
            completions = executor;
            return this;
        }

        /** Sets what takes warnings about the server. */
        public Builder onWarning(Consumer<? super Warning> consumer) {
            onWarning = consumer;
            return this;
        }

        /** Returns the options. */
        public NbdClientOptions build() {
            return new NbdClientOptions(this);
        }

        private static int requireIn(String name, int value, int most) {
            if (value < 1 || value > most) {
                throw new IllegalArgumentException(name + ": " + value + " is not from 1 to " + most);
            }
            return value;
        }

        private static Duration requireLimit(Duration limit) {
            if (limit.isNegative()) {
                throw new IllegalArgumentException("limit: " + limit + " is negative");
            }
            return limit;
        }
    }
}
