package dev.platter.cli;

import java.io.IOException;
import java.nio.file.AccessDeniedException;
import java.nio.file.FileAlreadyExistsException;
import java.nio.file.FileSystemException;
import java.nio.file.NoSuchFileException;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.UnmatchedArgumentException;

/** What went wrong, in one line. */
final class Failures {

    private Failures() {}

    /** Returns the line for what the system or an image did. */
    static String text(IOException e) {
        return PartFile.withFinalNames(ownText(e));
    }

    private static String ownText(IOException e) {
        if (e instanceof FileSystemException failure) {
            return failure.getFile() + ": " + reason(failure);
        }
        String message = e.getMessage();
        return message == null || message.isEmpty() ? e.getClass().getSimpleName() : message;
    }

    private static String reason(FileSystemException e) {
        if (e.getReason() != null) {
            return e.getReason();
        }
        if (e instanceof NoSuchFileException) {
            return "no such file";
        }
        if (e instanceof AccessDeniedException) {
            return "permission denied";
        }
        if (e instanceof FileAlreadyExistsException) {
            return "exists already";
        }
        return e.getClass().getSimpleName();
    }

    /** Returns the line for an argument that the parser refuses, with what may have been meant. */
    static String usage(ParameterException e) {
        String text = String.valueOf(e.getMessage()).lines().findFirst().orElse("the arguments make no sense");
        text = Character.toLowerCase(text.charAt(0)) + text.substring(1);
        if (e instanceof UnmatchedArgumentException unmatched) {
            String refusal = Refusals.of(unmatched.getUnmatched().get(0));
            if (refusal != null) {
                return refusal;
            }
        }
        if (e instanceof UnmatchedArgumentException unmatched
                && !unmatched.getSuggestions().isEmpty()) {
            text += "; did you mean "
                    + String.join(
                            " or ",
                            unmatched
                                    .getSuggestions()
                                    .subList(
                                            0,
                                            Math.min(
                                                    2,
                                                    unmatched.getSuggestions().size())));
            text += "?";
        }
        return text;
    }

    /** Reports what must not happen. */
    static int internal(Throwable e, Stdio io) {
        if (e instanceof OutOfMemoryError) {
            io.message("out of memory (" + e.getMessage() + "); PLATTER_OPTS=-Xmx… gives the JVM more");
            return ExitCode.ERROR;
        }
        boolean debug = System.getenv("PLATTER_DEBUG") != null;
        io.message("internal error: " + e + (debug ? "" : "; PLATTER_DEBUG=1 shows more"));
        if (debug) {
            e.printStackTrace(io.err());
        }
        return ExitCode.ERROR;
    }
}
