package dev.platter.cli;

import dev.platter.qcow2.AmendOptions;
import dev.platter.qcow2.CreateOptions;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.stream.Collectors;
import org.jspecify.annotations.Nullable;

/** What {@code -o} says of a new image, in the words of {@code qemu-img create -o}. */
final class CreateArguments {
    private static final List<String> KNOWN = List.of(
            "size",
            "compat",
            "backing_file",
            "backing_fmt",
            "cluster_size",
            "preallocation",
            "lazy_refcounts",
            "refcount_bits",
            "extended_l2",
            "compression_type",
            "data_file",
            "data_file_raw");

    private final Map<String, String> options = new LinkedHashMap<>();

    /** Reads {@code name=value,name=value}; a comma in a value is doubled. */
    CreateArguments(List<String> texts) {
        for (String text : texts) {
            for (String option : split(text)) {
                int equals = option.indexOf('=');
                String name = equals < 0 ? option : option.substring(0, equals);
                if (!KNOWN.contains(name)) {
                    throw new UsageException(refusal(name));
                }
                options.put(name, equals < 0 ? "on" : option.substring(equals + 1));
            }
        }
    }

    private static String refusal(String name) {
        if (name.startsWith("encrypt")) {
            return "-o " + name + ": encrypted images can be neither made nor read yet";
        }
        String known = "; known are " + String.join(", ", KNOWN);
        return name.equals("help") || name.equals("?") ? "-o " + name + known : "-o " + name + " is unknown" + known;
    }

    private static List<String> split(String text) {
        List<String> parts = new ArrayList<>();
        StringBuilder part = new StringBuilder();
        for (int i = 0; i < text.length(); i++) {
            char c = text.charAt(i);
            if (c == ',' && i + 1 < text.length() && text.charAt(i + 1) == ',') {
                part.append(c);
                i++;
            } else if (c == ',') {
                parts.add(part.toString());
                part.setLength(0);
            } else {
                part.append(c);
            }
        }
        parts.add(part.toString());
        parts.removeIf(String::isEmpty);
        return parts;
    }

    /** Sets an option that has a letter of its own. */
    void put(String name, @Nullable String value) {
        if (value != null) {
            options.put(name, value);
        }
    }

    @Nullable
    String get(String name) {
        return options.get(name);
    }

    /** Returns the format of the backing file, which has to be stated. */
    String backingFormat() {
        String format = get("backing_fmt");
        if (format == null) {
            throw new UsageException(
                    "a backing file needs its format: -F raw or -F qcow2; found out from its contents, it"
                            + " would be what its guest says");
        }
        return format;
    }

    /** Lets a backing file go without a format: it is not opened. */
    void withoutBackingFormat() {
        if (options.containsKey("backing_file")) {
            options.putIfAbsent("backing_fmt", "raw");
        }
    }

    /** Returns whether there is none. */
    boolean isEmpty() {
        return options.isEmpty();
    }

    /**
     * Returns whether a raw image is to have a place for all of its bytes.
     *
     * @throws UsageException if there is an option that raw images do not have
     */
    boolean fillsRaw() {
        for (String name : options.keySet()) {
            if (!name.equals("size") && !name.equals("preallocation")) {
                throw new UsageException(
                        "-o " + name + ": a raw image has size and preallocation only; qcow2 has more");
            }
        }
        String value = options.getOrDefault("preallocation", "off");
        return switch (value) {
            case "off" -> false;
            case "falloc", "full" -> true;
            default ->
                throw new UsageException(
                        "-o preallocation=" + value + ": a raw image can be preallocated off, falloc or full");
        };
    }

    /**
     * Returns what is asked for.
     *
     * @param size bytes of the disk
     */
    CreateOptions toOptions(long size) {
        try {
            CreateOptions.Builder builder = CreateOptions.builder(size);
            options.forEach((name, value) -> set(builder, name, value));
            String backing = get("backing_file");
            if (backing != null) {
                builder.backing(backing, backingFormat());
            }
            String dataFile = get("data_file");
            if (dataFile == null && isOn("data_file_raw", options.getOrDefault("data_file_raw", "off"))) {
                throw new UsageException("-o data_file_raw=on requires data_file");
            }
            if (dataFile != null) {
                builder.dataFile(dataFile, isOn("data_file_raw", options.getOrDefault("data_file_raw", "off")));
            }
            return builder.build();
        } catch (IllegalArgumentException e) {
            throw new UsageException(String.valueOf(e.getMessage()));
        }
    }

    /** Returns what is to change of an image that is there. */
    AmendOptions toAmendment() {
        AmendOptions.Builder builder = AmendOptions.builder();
        try {
            options.forEach((name, value) -> amend(builder, name, value));
        } catch (IllegalArgumentException e) {
            throw new UsageException("-o " + e.getMessage());
        }
        return builder.build();
    }

    private static void amend(AmendOptions.Builder builder, String name, String value) {
        switch (name) {
            case "compat" -> builder.version(version(value));
            case "refcount_bits" -> builder.refcountBits(number(name, value));
            case "lazy_refcounts" -> builder.lazyRefcounts(isOn(name, value));
            case "data_file" -> builder.dataFile(value);
            case "data_file_raw" -> builder.dataFileRaw(isOn(name, value));
            case "size" -> builder.size(ByteCount.parse("-o size", value));
            case "backing_file", "backing_fmt" -> {
                // the caller looks whether they are the ones that are there
            }
            default ->
                throw new UsageException("-o " + name
                        + " cannot be amended; compat, refcount_bits, lazy_refcounts, data_file, data_file_raw and size"
                        + " can");
        }
    }

    private static void set(CreateOptions.Builder builder, String name, String value) {
        try {
            setChecked(builder, name, value);
        } catch (IllegalArgumentException e) {
            throw new UsageException("-o " + name + "=" + value + ": " + e.getMessage());
        }
    }

    private static void setChecked(CreateOptions.Builder builder, String name, String value) {
        switch (name) {
            case "compat" -> builder.version(version(value));
            case "cluster_size" -> builder.clusterSize(number(name, value));
            case "refcount_bits" -> builder.refcountBits(number(name, value));
            case "lazy_refcounts" -> builder.lazyRefcounts(isOn(name, value));
            case "extended_l2" -> builder.extendedL2(isOn(name, value));
            case "compression_type" -> builder.compressionType(of(CreateOptions.CompressionType.class, name, value));
            case "preallocation" -> builder.preallocation(of(CreateOptions.Preallocation.class, name, value));
            default -> {
                // with its companion, or by the caller
            }
        }
    }

    private static int version(String value) {
        return switch (value) {
            case "0.10", "v2" -> 2;
            case "1.1", "v3" -> 3;
            default -> throw new UsageException("-o compat=" + value + " is unknown; known are 0.10 and 1.1");
        };
    }

    private static int number(String name, String value) {
        long number = ByteCount.parse("-o " + name, value);
        if (number > Integer.MAX_VALUE) {
            throw new UsageException("-o " + name + "=" + value + " is too large");
        }
        return (int) number;
    }

    private static boolean isOn(String name, String value) {
        return switch (value) {
            case "on", "yes", "true", "y" -> true;
            case "off", "no", "false", "n" -> false;
            default -> throw new UsageException("-o " + name + "=" + value + " is neither on nor off");
        };
    }

    private static <T extends Enum<T>> T of(Class<T> type, String name, String value) {
        for (T candidate : type.getEnumConstants()) {
            if (candidate.name().toLowerCase(Locale.ROOT).equals(value)) {
                return candidate;
            }
        }
        throw new UsageException("-o " + name + "=" + value + " is unknown; known are "
                + Arrays.stream(type.getEnumConstants())
                        .map(candidate -> candidate.name().toLowerCase(Locale.ROOT))
                        .collect(Collectors.joining(", ")));
    }
}
