package dev.platter.cli;

import dev.platter.core.Printable;

/** Strings in JSON that is written by hand, where a line has to look as qemu-img prints it. */
final class JsonLine {

    private JsonLine() {}

    /** Returns a JSON string; whatever could act on a terminal is escaped. */
    static String quote(String text) {
        StringBuilder json = new StringBuilder(text.length() + 2).append('"');
        text.codePoints().forEach(c -> {
            if (c == '"' || c == '\\') {
                json.append('\\').append((char) c);
            } else if (Printable.isSafe(c)) {
                json.appendCodePoint(c);
            } else {
                json.append("\\u").append(Integer.toHexString(0x10000 + c), 1, 5);
            }
        });
        return json.append('"').toString();
    }
}
