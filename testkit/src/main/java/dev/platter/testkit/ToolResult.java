package dev.platter.testkit;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.io.IOException;
import java.util.List;

/**
 * What a program did.
 *
 * @param command the command line
 * @param exit its exit status; 128 + n if signal n ended it
 * @param stdout what it printed, as UTF-8
 * @param stderr what it complained, as UTF-8
 */
public record ToolResult(List<String> command, int exit, String stdout, String stderr) {

    /** Asserts that the program succeeded. */
    public ToolResult assertSuccess() {
        if (exit != 0) {
            throw new AssertionError(this + "\n" + stdout + stderr);
        }
        return this;
    }

    /** Returns the output parsed as JSON. */
    public JsonNode json() throws IOException {
        return new ObjectMapper().readTree(stdout);
    }

    @Override
    public String toString() {
        return String.join(" ", command) + ": exit " + exit;
    }
}
