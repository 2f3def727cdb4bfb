package dev.platter.nbd.client;

import dev.platter.core.BlockIOException;
import java.io.IOException;
import java.nio.channels.Channel;
import java.time.Duration;
import java.util.concurrent.Future;
import java.util.concurrent.atomic.AtomicReference;
import org.jspecify.annotations.Nullable;

/** Closes a channel when something on it is not over in time, so that whoever waits for it goes on. */
final class Deadline implements AutoCloseable {
    private enum State {
        RUNNING,
        OVER,
        PASSED
    }

    private final Duration limit;
    private final AtomicReference<State> state = new AtomicReference<>(State.RUNNING);
    private final @Nullable Future<?> task;

    /** Begins; a limit of zero never passes. */
    Deadline(Duration limit, Channel channel) {
        this.limit = limit;
        this.task = limit.isZero() ? null : Watchdog.after(limit, () -> pass(channel));
    }

    private void pass(Channel channel) {
        if (state.compareAndSet(State.RUNNING, State.PASSED)) {
            Channels.closeQuietly(channel);
        }
    }

    /**
     * Says that it is over: from now on the channel stays open.
     *
     * @param what what was done, for the message
     * @throws BlockIOException if it was over too late
     */
    void meet(String what) throws BlockIOException {
        close();
        if (state.get() == State.PASSED) {
            throw tooLate(what, null);
        }
    }

    /** Returns what to throw for a failure: that it took too long, if that is why the channel failed. */
    IOException explain(String what, IOException failure) {
        return state.get() == State.PASSED ? tooLate(what, failure) : failure;
    }

    private BlockIOException tooLate(String what, @Nullable IOException failure) {
        return new BlockIOException(BlockIOException.Kind.TIMEOUT, what + ": not done after " + text(limit), failure);
    }

    /** Returns a duration in words. */
    static String text(Duration duration) {
        long millis = duration.toMillis();
        return millis % 1000 == 0 ? millis / 1000 + " s" : millis + " ms";
    }

    @Override
    public void close() {
        if (state.compareAndSet(State.RUNNING, State.OVER) && task != null) {
            task.cancel(false);
        }
    }
}
