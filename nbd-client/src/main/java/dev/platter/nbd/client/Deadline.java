package dev.platter.nbd.client;

import dev.platter.core.BlockIOException;
import java.io.IOException;
import java.nio.channels.Channel;
import java.time.Duration;
import java.util.concurrent.Future;
import org.jspecify.annotations.Nullable;

/** Closes a channel when something on it is not over in time, so that whoever waits for it goes on. */
final class Deadline implements AutoCloseable {
    private final Duration limit;
    private final @Nullable Future<?> task;
    private volatile boolean passed;

    /** Begins; a limit of zero never passes. */
    Deadline(Duration limit, Channel channel) {
        this.limit = limit;
        this.task = limit.isZero()
                ? null
                : Watchdog.after(limit, () -> {
                    passed = true;
                    Channels.closeQuietly(channel);
                });
    }

    /** Returns what to throw for a failure: that it took too long, if that is why the channel failed. */
    IOException explain(String what, IOException failure) {
        return passed
                ? new BlockIOException(BlockIOException.Kind.TIMEOUT, what + ": not done after " + text(limit), failure)
                : failure;
    }

    /** Returns a duration in words. */
    static String text(Duration duration) {
        long millis = duration.toMillis();
        return millis % 1000 == 0 ? millis / 1000 + " s" : millis + " ms";
    }

    @Override
    public void close() {
        if (task != null) {
            task.cancel(false);
        }
    }
}
