package dev.platter.cli;

import dev.platter.core.Printable;
import java.io.FileOutputStream;
import java.io.FilterOutputStream;
import java.io.IOException;
import java.io.OutputStream;
import java.io.PrintStream;
import java.nio.ByteBuffer;
import java.nio.channels.ClosedByInterruptException;
import java.nio.channels.FileChannel;
import java.nio.channels.WritableByteChannel;
import java.nio.charset.StandardCharsets;
import org.jspecify.annotations.Nullable;

/**
 * Where a command prints. Messages have one form: {@code platter: what}, in one line, without control characters; in front
 * can be another name.
 */
final class Stdio {
    private static final int ARRAY = 64 * 1024;

    private final Output out;
    private final PrintStream err;
    private final @Nullable FileChannel file;
    private final String program;

    Stdio(OutputStream out, PrintStream err) {
        this(new Output(out), err, out instanceof FileOutputStream real ? real.getChannel() : null, "platter");
    }

    private Stdio(Output out, PrintStream err, @Nullable FileChannel file, String program) {
        this.out = out;
        this.err = err;
        this.file = file;
        this.program = program;
    }

    /** Returns the same, with messages in the name of another program. */
    Stdio as(String name) {
        return new Stdio(out, err, file, name);
    }

    /** Returns standard output for bytes in buffers. What fails there is an {@link OutputException}. */
    WritableByteChannel channel() {
        return new OutputChannel();
    }

    /** Returns whether somebody would see what is written to standard output. */
    boolean isTerminal() {
        return file != null && Terminals.isTerminal(1);
    }

    /** Returns whether somebody sees what is written to standard error. */
    boolean isErrorTerminal() {
        return file != null && Terminals.isTerminal(2);
    }

    /** Returns standard output. What fails there is an {@link OutputException}; not buffered. */
    OutputStream out() {
        return out;
    }

    /** Prints UTF-8 on standard output. */
    void print(String text) throws IOException {
        out.write(text.getBytes(StandardCharsets.UTF_8));
    }

    /** Prints one line on standard error. */
    void message(String text) {
        line(program + ": " + text);
    }

    /** Prints one line on standard error, without a name in front. */
    void line(String text) {
        err.println(Printable.escape(text));
    }

    /** Prints a warning on standard error. */
    void warning(String text) {
        message("warning: " + text);
    }

    PrintStream err() {
        return err;
    }

    private final class OutputChannel implements WritableByteChannel {
        @Override
        public int write(ByteBuffer from) throws IOException {
            int length = from.remaining();
            if (file == null) {
                byte[] bytes = new byte[Math.min(ARRAY, length)];
                while (from.hasRemaining()) {
                    int count = Math.min(bytes.length, from.remaining());
                    from.get(bytes, 0, count);
                    out.write(bytes, 0, count);
                }
                return length;
            }
            try {
                while (from.hasRemaining()) {
                    file.write(from);
                }
            } catch (ClosedByInterruptException e) {
                throw e;
            } catch (IOException e) {
                throw new OutputException(e);
            }
            return length;
        }

        @Override
        public boolean isOpen() {
            return true;
        }

        @Override
        public void close() throws IOException {
            out.flush();
        }
    }

    private static final class Output extends FilterOutputStream {
        Output(OutputStream out) {
            super(out);
        }

        @Override
        public void write(int b) throws IOException {
            write(new byte[] {(byte) b}, 0, 1);
        }

        @Override
        public void write(byte[] bytes, int offset, int length) throws IOException {
            try {
                out.write(bytes, offset, length);
            } catch (IOException e) {
                throw new OutputException(e);
            }
        }

        @Override
        public void flush() throws IOException {
            try {
                out.flush();
            } catch (IOException e) {
                throw new OutputException(e);
            }
        }

        @Override
        public void close() throws IOException {
            flush();
        }
    }
}
