package dev.platter.cli;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.OutputStream;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.util.List;

/**
 * A command that ran in this JVM.
 *
 * @param exit its exit code
 * @param out what it printed
 * @param err its messages
 */
record Cli(int exit, String out, String err) {

    /** Runs a command; arguments are taken by their text. */
    static Cli run(Object... arguments) {
        ByteArrayOutputStream out = new ByteArrayOutputStream();
        return run(out, arguments).with(out);
    }

    /** Runs a command that writes to {@code out}. */
    static Cli run(OutputStream out, Object... arguments) {
        String[] words = new String[arguments.length];
        for (int i = 0; i < words.length; i++) {
            words[i] = arguments[i].toString();
        }
        ByteArrayOutputStream err = new ByteArrayOutputStream();
        int exit = Main.run(words, out, new PrintStream(err, true, StandardCharsets.UTF_8));
        return new Cli(exit, "", err.toString(StandardCharsets.UTF_8));
    }

    private Cli with(ByteArrayOutputStream bytes) {
        return new Cli(exit, bytes.toString(StandardCharsets.UTF_8), err);
    }

    Cli assertExit(int expected) {
        assertThat(exit).as("%s%s", out, err).isEqualTo(expected);
        return this;
    }

    /** Asserts that the command failed with one line that contains all of these. */
    Cli assertError(int expected, String... parts) {
        assertExit(expected);
        assertThat(err.lines()).as(err).hasSize(1);
        assertThat(err).startsWith("platter: ");
        for (String part : parts) {
            assertThat(err).contains(part);
        }
        return this;
    }

    JsonNode json() throws IOException {
        return new ObjectMapper().readTree(out);
    }

    List<String> lines() {
        return out.lines().toList();
    }
}
