package dev.platter.cli;

import java.io.FileDescriptor;
import java.io.FileOutputStream;
import java.io.IOException;
import java.io.OutputStream;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.util.Arrays;
import java.util.concurrent.CancellationException;

/**
 * The command {@code platter}. Only the classes of the command that is asked for are loaded: starting takes longer than
 * most commands.
 */
public final class Main {

    private Main() {}

    /** Runs the command and ends the JVM with its exit code. */
    public static void main(String[] args) {
        // neither System.out, which swallows errors, nor the encoding of the locale
        OutputStream out = new FileOutputStream(FileDescriptor.out);
        PrintStream err = new PrintStream(new FileOutputStream(FileDescriptor.err), true, StandardCharsets.UTF_8);
        System.exit(ended(run(args, out, err), err));
    }

    private static int ended(int exit, PrintStream err) {
        try {
            Launcher.ended(exit);
            return exit;
        } catch (IOException e) {
            new Stdio(OutputStream.nullOutputStream(), err).message("standard output: " + Failures.text(e));
            return ExitCode.ERROR;
        }
    }

    /**
     * Runs a command in this JVM.
     *
     * @param out takes what the command prints or dumps; flushed, not closed
     * @param err takes messages
     * @return the exit code
     */
    static int run(String[] args, OutputStream out, PrintStream err) {
        Stdio io = new Stdio(out, err);
        try {
            int exit = dispatch(args, io);
            io.out().flush();
            return exit;
        } catch (UsageException e) {
            io.message(e.getMessage());
            return ExitCode.USAGE;
        } catch (OutputException e) {
            if (!e.isClosedPipe()) {
                io.message("standard output: " + Failures.text(e.failure()));
            }
            return ExitCode.ERROR;
        } catch (IOException e) {
            io.message(Failures.text(e));
            return ExitCode.ERROR;
        } catch (CancellationException e) {
            io.message("stopped");
            return ExitCode.ERROR;
        } catch (RuntimeException | Error e) {
            return Failures.internal(e, io);
        }
    }

    private static int dispatch(String[] args, Stdio io) throws IOException {
        if (args.length == 0) {
            throw new UsageException("no command given", "platter --help");
        }
        String first = args[0];
        return switch (first) {
            case "--version", "-V" -> {
                io.print(Version.text());
                yield ExitCode.WHOLE;
            }
            case "--help", "-h", "help" -> RootHelp.print(args, io);
            default -> {
                Program command = Commands.byName(first);
                if (command == null) {
                    throw RootHelp.unknown(first);
                }
                yield command.run(first, Arrays.copyOfRange(args, 1, args.length), io);
            }
        };
    }
}
