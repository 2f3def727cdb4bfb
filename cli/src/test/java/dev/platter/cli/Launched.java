package dev.platter.cli;

import dev.platter.testkit.ReferenceTools;
import dev.platter.testkit.ToolResult;
import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Objects;

/** Commands as processes of their own, started by {@code dev/start} as the launcher of the source tree starts them. */
final class Launched {

    private Launched() {}

    /** Returns what is run in the end, with the classes that are tested. */
    static List<String> command(String name, Object... arguments) {
        List<String> command = new ArrayList<>();
        command.add(Path.of("..", "dev", "start").toAbsolutePath().normalize().toString());
        command.add(name);
        command.add(Path.of(System.getProperty("java.home"), "bin", "java").toString());
        command.addAll(List.of("-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC", "-Xlog:disable"));
        command.addAll(List.of("--enable-native-access=ALL-UNNAMED"));
        command.addAll(List.of("-cp", classPath(), "dev.platter.cli.Main", name));
        for (Object argument : arguments) {
            command.add(argument.toString());
        }
        return command;
    }

    /** Runs a command in a folder until it returns. */
    static ToolResult runIn(Path folder, String name, Object... arguments) throws IOException {
        return ReferenceTools.runIn(folder, command(name, arguments).toArray(new String[0]));
    }

    /** Returns a builder for a command that goes on; its standard output and its messages can be read. */
    static ProcessBuilder builder(String name, Object... arguments) {
        // whoever runs the tests in the background, or by nohup, has some of them ignored in all that they start
        List<String> command = new ArrayList<>(List.of("env", "--default-signal=INT,TERM,HUP"));
        command.addAll(command(name, arguments));
        return ReferenceTools.builder(command)
                .redirectOutput(ProcessBuilder.Redirect.PIPE)
                .redirectError(ProcessBuilder.Redirect.PIPE);
    }

    /** The tests run as modules; the command does not. */
    static String classPath() {
        String modules = System.getProperty("jdk.module.path", "");
        return modules + ":" + Objects.requireNonNull(System.getProperty("java.class.path"));
    }
}
