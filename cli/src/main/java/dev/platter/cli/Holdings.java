package dev.platter.cli;

import java.io.Closeable;
import java.io.IOException;
import java.nio.channels.ClosedChannelException;
import java.util.ArrayDeque;
import java.util.Deque;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.locks.ReentrantLock;
import org.jspecify.annotations.Nullable;

/**
 * What a command holds open while it goes on: closed in the end, the last one first, or by the signal that ends the command
 * (INT, TERM, HUP), which is the way to end it, and no failure.
 */
final class Holdings implements Closeable {
    /** How long a signal waits for a file system that does not answer. */
    private static final int OPENING_SECONDS = 10;

    private final Stdio io;
    private final Thread hook = new Thread(this::endBySignal, "end by signal");

    /** Held while something is opened or closed: a signal must not come between what is made and the note of it. */
    private final ReentrantLock opening = new ReentrantLock();

    /** What is to be closed, the last one first; null once that is done. */
    private @Nullable Deque<Closeable> opened = new ArrayDeque<>();

    private volatile boolean signalled;

    private Holdings(Stdio io) {
        this.io = io;
    }

    /** Opens something. */
    @FunctionalInterface
    interface Opening<T> {
        T open() throws IOException;
    }

    /** What is done as long as the things are held. */
    @FunctionalInterface
    interface Work {
        void run(Holdings holdings) throws IOException, InterruptedException;
    }

    /** Does work until it returns, this thread is interrupted, or a signal comes; then closes what it opened. */
    static void during(Stdio io, Work work) throws IOException {
        Holdings holdings = new Holdings(io);
        Runtime.getRuntime().addShutdownHook(holdings.hook);
        try (holdings) {
            work.run(holdings);
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        } catch (IOException e) {
            // Whoever ends the program does not want to hear what that interrupted.
            if (!holdings.signalled) {
                throw e;
            }
        } finally {
            holdings.removeHook();
        }
    }

    <T extends Closeable> T keep(Opening<T> what) throws IOException {
        return open(() -> {
            T open = what.open();
            if (opened != null) {
                opened.push(open);
            }
            return open;
        });
    }

    /** Opens something that is closed by what is kept already. */
    <T> T open(Opening<T> what) throws IOException {
        opening.lock();
        try {
            if (opened == null) {
                throw new ClosedChannelException();
            }
            return what.open();
        } finally {
            opening.unlock();
        }
    }

    @Override
    public void close() throws IOException {
        opening.lock();
        try {
            Deque<Closeable> closing = opened;
            opened = null;
            IOException failure = null;
            while (closing != null && !closing.isEmpty()) {
                try {
                    closing.pop().close();
                } catch (IOException e) {
                    failure = failure == null ? e : failure;
                }
            }
            if (failure != null) {
                throw failure;
            }
        } finally {
            opening.unlock();
        }
    }

    private void removeHook() {
        try {
            Runtime.getRuntime().removeShutdownHook(hook);
        } catch (IllegalStateException e) {
            // The JVM is ending: the hook has run, or does.
            signalled = true;
        }
    }

    /** A signal is no failure, which only halt can say from here. */
    private void endBySignal() {
        signalled = true;
        int exit = ExitCode.WHOLE;
        try {
            if (opening.tryLock(OPENING_SECONDS, TimeUnit.SECONDS)) {
                close();
            }
        } catch (IOException e) {
            io.message(Failures.text(e));
            exit = ExitCode.ERROR;
        } catch (InterruptedException e) {
            exit = ExitCode.ERROR;
        }
        Runtime.getRuntime().halt(exit);
    }
}
