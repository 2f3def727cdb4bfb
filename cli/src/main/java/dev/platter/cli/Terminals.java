package dev.platter.cli;

import java.io.Console;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;

/** Whether a standard stream is a terminal. Java can ask only for input and output together. */
final class Terminals {

    private Terminals() {}

    /** @param descriptor 1 for standard output, 2 for standard error */
    static boolean isTerminal(int descriptor) {
        Path link = Path.of("/proc/self/fd/" + descriptor);
        try {
            if (Files.isSymbolicLink(link)) {
                String target = Files.readSymbolicLink(link).toString();
                return target.startsWith("/dev/pts/")
                        || target.startsWith("/dev/tty")
                        || target.startsWith("/dev/console");
            }
        } catch (IOException e) {
            return hasConsole();
        }
        return hasConsole();
    }

    /** From Java 22 on there is a console also where there is no terminal; it must be asked. */
    @SuppressWarnings("SystemConsoleNull")
    private static boolean hasConsole() {
        Console console = System.console();
        if (console == null) {
            return false;
        }
        try {
            return Boolean.TRUE.equals(Console.class.getMethod("isTerminal").invoke(console));
        } catch (ReflectiveOperationException e) {
            // before Java 22: a console is a terminal
            return true;
        }
    }
}
