package dev.platter.cli;

import java.io.ByteArrayOutputStream;
import java.io.Closeable;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import java.util.function.Predicate;

/** {@code platter nbd} in a thread of this JVM, on a Unix socket, ended with the test. */
final class NbdRun implements Closeable {
    private static final long SECONDS = 60;

    private final Path socket;
    private final Messages messages = new Messages();
    private final CompletableFuture<Cli> end = new CompletableFuture<>();
    private final Thread thread;

    /** Keeps what is written, and wakes whoever waits for it. */
    private static final class Messages extends ByteArrayOutputStream {
        @Override
        public synchronized void write(int b) {
            super.write(b);
            notifyAll();
        }

        @Override
        public synchronized void write(byte[] b, int off, int len) {
            super.write(b, off, len);
            notifyAll();
        }

        synchronized void await(Predicate<String> wanted) throws InterruptedException {
            long until = System.nanoTime() + TimeUnit.SECONDS.toNanos(SECONDS);
            while (!wanted.test(toString(StandardCharsets.UTF_8))) {
                long left = until - System.nanoTime();
                if (left <= 0) {
                    throw new AssertionError("waited too long; printed were: " + toString(StandardCharsets.UTF_8));
                }
                TimeUnit.NANOSECONDS.timedWait(this, left);
            }
        }
    }

    private NbdRun(Path socket, List<String> words) {
        this.socket = socket;
        this.thread = new Thread(() -> run(words), "platter nbd");
        thread.start();
    }

    /** Starts a server, and waits until it listens. */
    static NbdRun start(Path folder, Object... arguments) {
        Path socket = folder.resolve("s");
        List<String> words = new ArrayList<>(List.of("nbd", "-v", "-k", socket.toString()));
        for (Object argument : arguments) {
            words.add(argument.toString());
        }
        NbdRun run = new NbdRun(socket, words);
        run.awaitMessage("listening on ");
        return run;
    }

    private void run(List<String> words) {
        ByteArrayOutputStream out = new ByteArrayOutputStream();
        int exit = Main.run(words.toArray(new String[0]), out, new PrintStream(messages, true, StandardCharsets.UTF_8));
        end.complete(new Cli(exit, out.toString(StandardCharsets.UTF_8), messages()));
        synchronized (messages) {
            messages.notifyAll();
        }
    }

    /** Returns what it said so far. */
    String messages() {
        return messages.toString(StandardCharsets.UTF_8);
    }

    /** Waits until it said something. */
    void awaitMessage(String text) {
        try {
            messages.await(said -> said.contains(text) || end.isDone());
        } catch (InterruptedException e) {
            throw new AssertionError(e);
        }
        if (!messages().contains(text)) {
            throw new AssertionError("ended: " + messages());
        }
    }

    Path socket() {
        return socket;
    }

    /** Returns the address of the default export. */
    String uri() {
        return uri("");
    }

    String uri(String export) {
        return "nbd+unix:///" + export + "?socket=" + socket;
    }

    boolean isOver() {
        return end.isDone();
    }

    /** Waits until it ended by itself. */
    Cli await() {
        try {
            return end.get(SECONDS, TimeUnit.SECONDS);
        } catch (Exception e) {
            throw new AssertionError("did not end: " + messages(), e);
        }
    }

    /** Ends it, and returns how that went. */
    Cli end() {
        thread.interrupt();
        return await();
    }

    @Override
    public void close() {
        end();
    }
}
