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
        List<String> block = new ArrayList<>();
        boolean inside = false;
        for (String line : lines(file)) {
            if (line.equals("```") && inside) {
                return block;
            }
            if (inside && !line.isBlank()) {
                block.add(line.strip());
            }
            inside |= line.equals("```" + language);
        }
        throw new IllegalStateException(file + ": has no block of " + language);
    }
}
