package dev.platter.interop;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;

/** The checkout that is tested. */
final class ProjectFiles {

    private ProjectFiles() {}

    static Path root() {
        Path given = Path.of(System.getProperty("platter.root", ""));
        for (Path folder = given.toAbsolutePath(); folder != null; folder = folder.getParent()) {
            if (Files.isRegularFile(folder.resolve("interop-tests/pom.xml"))) {
                return folder;
            }
        }
        throw new IllegalStateException("not in a checkout: " + given.toAbsolutePath());
    }

    static List<String> lines(String file) throws IOException {
        return Files.readAllLines(root().resolve(file));
    }

    /** Returns the lines of the first code block of a language in a Markdown file, without indentation. */
    static List<String> firstBlock(String file, String language) throws IOException {
        return blocks(file, language).get(0);
    }

    /** Returns the lines of all code blocks of a language, without indentation and empty lines. */
    static List<List<String>> blocks(String file, String language) throws IOException {
        List<List<String>> blocks = new ArrayList<>();
        boolean inside = false;
        for (String line : lines(file)) {
            if (line.equals("```" + language)) {
                inside = true;
                blocks.add(new ArrayList<>());
            } else if (line.equals("```")) {
                inside = false;
            } else if (inside && !line.isBlank()) {
                blocks.get(blocks.size() - 1).add(line.strip());
            }
        }
        if (blocks.isEmpty()) {
            throw new IllegalStateException(file + ": has no block of " + language);
        }
        return blocks;
    }
}
