package dev.platter.lvm;

import dev.platter.core.CorruptImageException;
import dev.platter.core.DiskImageException;
import dev.platter.core.LimitExceededException;
import dev.platter.core.Limits;
import dev.platter.core.Printable;
import java.nio.charset.StandardCharsets;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;

/**
 * Reads metadata text into sections, without recursion and in one pass. Grammar: lvm2, libdm/libdm-config.c; a key that
 * is given twice is kept once, and the section says so.
 */
final class MetadataParser {
    /** Longest number worth reading: 64 bits in octal with sign and leading zero have 24 characters. */
    private static final int NUMBER_MAX = 40;

    /** A string of this many bytes is never too long; a command line in "description" can be that. */
    private static final int VALUE_MAX_LEAST = 64 << 10;

    private static final int SECTION_COST = 300;
    private static final int VALUE_COST = 70;
    private static final int ITEM_COST = 50;
    private static final int KEY_COST = 120;

    private final byte[] text;
    private final int end;
    private final String where;
    private final Limits limits;
    private final MetadataBudget budget;
    private final Map<String, String> keys = new HashMap<>();
    private int at;

    /** A section whose closing brace was not met yet. */
    private static final class OpenSection {
        final String name;
        final Map<String, MetadataValue> values = new LinkedHashMap<>();
        final Map<String, MetadataSection> sections = new LinkedHashMap<>();
        final Set<String> repeatedKeys = new LinkedHashSet<>();

        OpenSection(String name) {
            this.name = name;
        }

        boolean has(String key) {
            return values.containsKey(key) || sections.containsKey(key);
        }

        void add(String key, MetadataValue value) {
            if (has(key)) {
                repeatedKeys.add(key);
            } else {
                values.put(key, value);
            }
        }

        void add(MetadataSection section) {
            if (has(section.name())) {
                repeatedKeys.add(section.name());
            } else {
                sections.put(section.name(), section);
            }
        }

        MetadataSection close() {
            return new MetadataSection(name, values, sections, repeatedKeys);
        }
    }

    private MetadataParser(byte[] text, String where, Limits limits, MetadataBudget budget) {
        this.text = text;
        this.where = where;
        this.limits = limits;
        this.budget = budget;
        int nul = 0;
        while (nul < text.length && text[nul] != 0) {
            nul++;
        }
        this.end = nul;
    }

    /**
     * Reads a whole text, up to its first NUL.
     *
     * @param where begins the messages
     * @throws CorruptImageException if it does not follow the grammar
     * @throws LimitExceededException if it nests too deeply, has too long a name or would take too much memory
     */
    static MetadataSection parse(byte[] text, String where, Limits limits, MetadataBudget budget)
            throws DiskImageException {
        return new MetadataParser(text, where, limits, budget).parse();
    }

    private MetadataSection parse() throws DiskImageException {
        ArrayDeque<OpenSection> open = new ArrayDeque<>();
        OpenSection current = new OpenSection("");
        while (skipBlank()) {
            if (text[at] == '}') {
                at++;
                MetadataSection closed = current.close();
                OpenSection parent = open.poll();
                if (parent == null) {
                    throw corrupt("a closing brace without an opening one");
                }
                parent.add(closed);
                current = parent;
                continue;
            }
            String key = key();
            if (!skipBlank() || (text[at] != '=' && text[at] != '{')) {
                throw corrupt("neither '=' nor '{' after the key " + Printable.quote(key));
            }
            if (text[at++] == '=') {
                current.add(key, value());
            } else {
                if (open.size() >= limits.nesting()) {
                    throw new LimitExceededException(
                            place() + "sections lie deeper than Limits.nesting (" + limits.nesting() + ") allows");
                }
                budget.chargeObjects(SECTION_COST, where);
                open.push(current);
                current = new OpenSection(key);
            }
        }
        if (!open.isEmpty()) {
            throw corrupt("the text ends inside the section " + Printable.quote(current.name));
        }
        return current.close();
    }

    private String key() throws DiskImageException {
        String key = text[at] == '"' || text[at] == '\'' ? quoted() : string(at, wordEnd(false));
        if (key.isEmpty()) {
            throw corrupt("an empty key");
        }
        String known = keys.putIfAbsent(key, key);
        if (known != null) {
            return known;
        }
        if (key.length() > limits.nameBytes()) {
            throw new LimitExceededException(place() + "a name of " + key.length()
                    + " characters, Limits.nameBytes allows " + limits.nameBytes());
        }
        budget.chargeObjects(KEY_COST + key.length(), where);
        return key;
    }

    private MetadataValue value() throws DiskImageException {
        budget.chargeObjects(VALUE_COST, where);
        if (!skipBlank()) {
            throw corrupt("the text ends where a value is expected");
        }
        if (text[at] != '[') {
            return item();
        }
        at++;
        List<MetadataValue> items = new ArrayList<>();
        while (true) {
            if (!skipBlank()) {
                throw corrupt("the text ends inside an array");
            }
            if (text[at] == ']') {
                at++;
                return new MetadataValue.Items(items);
            }
            if (text[at] == ',') {
                at++;
                continue;
            }
            budget.chargeObjects(ITEM_COST, where);
            items.add(item());
        }
    }

    private MetadataValue item() throws DiskImageException {
        byte first = text[at];
        if (first == '"' || first == '\'') {
            String value = quoted();
            budget.chargeObjects(value.length(), where);
            return new MetadataValue.Text(value);
        }
        int wordAt = at;
        int wordEnd = wordEnd(true);
        if (wordEnd == wordAt) {
            throw corrupt("a value is expected");
        }
        if ((first >= '0' && first <= '9') || first == '-' || first == '+' || first == '.') {
            return number(wordAt, wordEnd);
        }
        budget.chargeObjects((long) wordEnd - wordAt, where);
        return new MetadataValue.Text(string(wordAt, wordEnd));
    }

    private MetadataValue number(int from, int to) throws CorruptImageException {
        if (to - from > NUMBER_MAX) {
            throw corrupt("a number of " + (to - from) + " characters");
        }
        String word = string(from, to);
        try {
            boolean decimal = word.indexOf('.') >= 0 && word.chars().allMatch(c -> c < 'A');
            return decimal
                    ? new MetadataValue.Decimal(Double.parseDouble(word))
                    : new MetadataValue.Whole(Long.decode(word));
        } catch (NumberFormatException e) {
            throw new CorruptImageException(
                    place() + Printable.quote(word) + " is not a number of 64 bits with sign", e);
        }
    }

    /** Moves behind a word and returns where it ends. A value also ends at a comma or a bracket. */
    private int wordEnd(boolean value) {
        while (at < end && !endsWord(text[at], value)) {
            at++;
        }
        return at;
    }

    private static boolean endsWord(byte c, boolean value) {
        return isBlank(c)
                || c == '#'
                || c == '='
                || c == '{'
                || c == '}'
                || (value && (c == ',' || c == '[' || c == ']' || c == '"' || c == '\''));
    }

    /** Reads a string in double quotes, with escapes, or in single quotes, without. */
    private String quoted() throws DiskImageException {
        byte quote = text[at++];
        int from = at;
        boolean escapes = false;
        while (at < end && text[at] != quote) {
            if (text[at] == '\\' && quote == '"') {
                escapes = true;
                at++;
            }
            at++;
        }
        if (at >= end) {
            at = from;
            throw corrupt("the text ends inside a string");
        }
        if (at - from > Math.max(VALUE_MAX_LEAST, limits.metadataBytes() / 16)) {
            throw new LimitExceededException(place() + "a string of " + (at - from)
                    + " bytes, more than a sixteenth of Limits.metadataBytes (" + limits.metadataBytes() + ")");
        }
        String value = string(from, at++);
        return escapes ? unescaped(value) : value;
    }

    private static String unescaped(String value) {
        StringBuilder out = new StringBuilder(value.length());
        for (int i = 0; i < value.length(); i++) {
            char c = value.charAt(i);
            if (c == '\\' && i + 1 < value.length() && (value.charAt(i + 1) == '"' || value.charAt(i + 1) == '\\')) {
                out.append(value.charAt(++i));
            } else {
                out.append(c);
            }
        }
        return out.toString();
    }

    private String string(int from, int to) {
        return new String(text, from, to - from, StandardCharsets.UTF_8);
    }

    /** Moves over white space and comments; returns whether anything is left. */
    private boolean skipBlank() {
        while (at < end) {
            if (text[at] == '#') {
                while (at < end && text[at] != '\n') {
                    at++;
                }
            } else if (isBlank(text[at])) {
                at++;
            } else {
                return true;
            }
        }
        return false;
    }

    private static boolean isBlank(byte c) {
        return c == ' ' || (c >= '\t' && c <= '\r');
    }

    private String place() {
        return where + ": byte " + at + " of the text: ";
    }

    private CorruptImageException corrupt(String what) {
        return new CorruptImageException(place() + what);
    }
}
