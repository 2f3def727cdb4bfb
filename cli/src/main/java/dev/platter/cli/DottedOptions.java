package dev.platter.cli;

import com.fasterxml.jackson.core.JsonFactory;
import com.fasterxml.jackson.core.JsonParser;
import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.core.JsonToken;
import java.io.IOException;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/**
 * Options in one word, as QEMU's programs take them: {@code driver=raw,file.filename=a,,b.raw}, where two commas are one and
 * dots lead into what is nested, or the same as JSON. Options are taken out one by one; what is left in the end is unknown.
 * QEMU: util/qemu-option.c and util/keyval.c.
 */
final class DottedOptions {
    private static final int MOST_DEPTH = 64;

    private final Map<String, String> values = new LinkedHashMap<>();

    /** Returns options of which there are none yet. */
    static DottedOptions none() {
        return new DottedOptions();
    }

    /**
     * Reads {@code key=value,…}.
     *
     * @param implied the key of a first word without one; null if it is as any other
     * @param flags whether another word without a value means that it is on, and with {@code no} in front that it is off
     * @throws StartFailure if a value is missing
     */
    static DottedOptions parse(String text, @Nullable String implied, boolean flags) throws StartFailure {
        DottedOptions options = new DottedOptions();
        int at = 0;
        while (at < text.length()) {
            int end = keyEnd(text, at);
            String key = text.substring(at, end);
            StringBuilder value = new StringBuilder();
            if (end < text.length() && text.charAt(end) == '=') {
                at = value(text, end + 1, value);
            } else if (at == 0 && implied != null) {
                key = implied;
                at = value(text, 0, value);
            } else if (flags) {
                boolean off = key.startsWith("no");
                key = off ? key.substring(2) : key;
                value.append(off ? "off" : "on");
                at = end + 1;
            } else {
                throw new StartFailure("Expected '=' after parameter '" + key + "'");
            }
            options.values.put(key, value.toString());
        }
        return options;
    }

    private static int keyEnd(String text, int from) {
        int end = from;
        while (end < text.length() && text.charAt(end) != '=' && text.charAt(end) != ',') {
            end++;
        }
        return end;
    }

    /** Takes a value up to a comma that stands alone; returns where the next option begins. */
    private static int value(String text, int from, StringBuilder value) {
        int at = from;
        while (at < text.length()) {
            char c = text.charAt(at++);
            if (c == ',') {
                if (at == text.length() || text.charAt(at) != ',') {
                    return at;
                }
                at++;
            }
            value.append(c);
        }
        return at;
    }

    /**
     * Reads a JSON object.
     *
     * @throws StartFailure if it is none
     */
    static DottedOptions json(String text) throws StartFailure {
        DottedOptions options = new DottedOptions();
        try (JsonParser json = JsonFactory.builder().build().createParser(text)) {
            if (json.nextToken() != JsonToken.START_OBJECT) {
                throw new StartFailure("JSON parse error, no object");
            }
            options.take(json, "");
            if (json.nextToken() != null) {
                throw new StartFailure("JSON parse error, something follows the object");
            }
        } catch (JsonProcessingException e) {
            throw new StartFailure("JSON parse error, " + e.getOriginalMessage());
        } catch (StartFailure e) {
            throw e;
        } catch (IOException e) {
            throw new StartFailure("JSON parse error, " + Failures.text(e));
        }
        return options;
    }

    /** Takes an object or a list that the parser has just entered. */
    private void take(JsonParser json, String prefix) throws IOException {
        if (json.getParsingContext().getNestingDepth() > MOST_DEPTH) {
            throw new StartFailure("JSON parse error, nested more than " + MOST_DEPTH + " deep");
        }
        boolean list = json.currentToken() == JsonToken.START_ARRAY;
        for (int index = 0; ; index++) {
            JsonToken token = json.nextToken();
            if (token == JsonToken.END_ARRAY || token == JsonToken.END_OBJECT) {
                return;
            }
            String key = prefix + (list ? Integer.toString(index) : json.currentName());
            if (!list) {
                token = json.nextToken();
            }
            if (token == JsonToken.START_OBJECT || token == JsonToken.START_ARRAY) {
                take(json, key + ".");
            } else if (token == JsonToken.VALUE_TRUE || token == JsonToken.VALUE_FALSE) {
                values.put(key, token == JsonToken.VALUE_TRUE ? "on" : "off");
            } else {
                values.put(key, json.getText());
            }
        }
    }

    /** Adds an option. */
    DottedOptions put(String key, String value) {
        values.put(key, value);
        return this;
    }

    /** Takes an option out; null if it was not given. */
    @Nullable
    String take(String key) {
        return values.remove(key);
    }

    /** Takes all options out that begin with {@code key} and a dot; without that in what is returned. */
    DottedOptions takeAll(String key) {
        DottedOptions nested = new DottedOptions();
        for (String name : List.copyOf(values.keySet())) {
            if (name.startsWith(key + ".")) {
                nested.values.put(name.substring(key.length() + 1), String.valueOf(values.remove(name)));
            }
        }
        return nested;
    }

    /** Takes the options of a list out, in order: {@code key.0.…}, {@code key.1.…} and so on. */
    List<DottedOptions> takeList(String key) {
        DottedOptions all = takeAll(key);
        List<DottedOptions> items = new ArrayList<>();
        while (true) {
            DottedOptions item = all.takeAll(Integer.toString(items.size()));
            if (item.isEmpty()) {
                all.values.forEach((name, value) -> values.put(key + "." + name, value));
                return items;
            }
            items.add(item);
        }
    }

    /**
     * Takes an option out that is on or off.
     *
     * @throws StartFailure if it is neither
     */
    boolean takeFlag(String key, boolean otherwise) throws StartFailure {
        String value = take(key);
        if (value == null) {
            return otherwise;
        }
        return switch (value) {
            case "on", "yes", "true", "y" -> true;
            case "off", "no", "false", "n" -> false;
            default -> throw new StartFailure("Parameter '" + key + "' expects 'on' or 'off'");
        };
    }

    /**
     * Takes a number of bytes out.
     *
     * @throws StartFailure if it is none
     */
    long takeSize(String key, long otherwise) throws StartFailure {
        String value = take(key);
        if (value == null) {
            return otherwise;
        }
        try {
            return ByteCount.parse(key, value);
        } catch (UsageException e) {
            throw new StartFailure(
                    "Parameter '" + key + "' expects a non-negative number below 2^63",
                    "Optional suffix k, M, G, T, P or E means kilo-, mega-, giga-, tera-, peta- and exabytes, respectively.");
        }
    }

    /**
     * Takes an option out that has to be there.
     *
     * @throws StartFailure if it is not
     */
    String require(String key) throws StartFailure {
        String value = take(key);
        if (value == null) {
            throw new StartFailure("Parameter '" + key + "' is missing");
        }
        return value;
    }

    boolean has(String key) {
        return values.containsKey(key);
    }

    boolean isEmpty() {
        return values.isEmpty();
    }

    /** Returns an option that is left; null if all were taken. */
    @Nullable
    String left() {
        return values.isEmpty() ? null : values.keySet().iterator().next();
    }
}
