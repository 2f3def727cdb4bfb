package dev.platter.cli;

import java.io.IOException;
import picocli.CommandLine.Model.CommandSpec;

/**
 * A command in the place of a program of others, with its options as getopt_long reads them, its exit codes, and messages
 * that begin with its own name.
 */
interface ImitatedProgram extends Program {

    /**
     * Does it.
     *
     * @param spec the options
     * @param words the words of the command line
     * @param io messages in it begin with the name of the program
     * @return the exit code
     * @throws StartFailure with what to say, in the words of the other program where that has any
     */
    int run(CommandSpec spec, String[] words, Stdio io) throws IOException;

    @Override
    default int run(String name, String[] words, Stdio io) throws IOException {
        String program = "platter " + name;
        CommandSpec spec = Commands.spec(this, program);
        Stdio named = io.as(program);
        return guarded(named, program, () -> run(spec, words, named));
    }

    /** What can fail. */
    @FunctionalInterface
    interface Work {
        /** Does it and returns the exit code. */
        int run() throws IOException;
    }

    /** Does work, and says what went wrong with it, a command line that makes no sense included. */
    static int guarded(Stdio io, String program, Work work) throws IOException {
        try {
            return work.run();
        } catch (UsageException e) {
            io.message(e.text());
            io.message("Try `" + program + " --help' for more information.");
        } catch (StartFailure e) {
            e.print(io);
        } catch (OutputException e) {
            throw e;
        } catch (IOException e) {
            io.message(Failures.text(e));
        }
        return ExitCode.ERROR;
    }
}
