package dev.platter.cli;

import java.io.IOException;
import java.io.InputStream;
import java.util.Properties;

/** Which platter this is, and which Java runs it. */
final class Version {

    private Version() {}

    static String text() throws IOException {
        Properties properties = new Properties();
        try (InputStream in = Version.class.getResourceAsStream("version.properties")) {
            if (in != null) {
                properties.load(in);
            }
        }
        return "platter " + properties.getProperty("version", "(unknown version)") + "\nJava "
                + System.getProperty("java.version") + " (" + System.getProperty("java.vendor") + ", "
                + System.getProperty("os.name") + " " + System.getProperty("os.arch") + ")\n";
    }
}
