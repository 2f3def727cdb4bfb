package dev.platter.cli;

import org.jspecify.annotations.Nullable;

/** Options of qemu-img that have no meaning here. Loaded when one was met. */
final class Refusals {

    private Refusals() {}

    /** Returns why an option that no command has is not there, or null if qemu-img has no such option either. */
    static @Nullable String of(String argument) {
        int equals = argument.indexOf('=');
        String name = equals < 0 ? argument : argument.substring(0, equals);
        return switch (name) {
            case "--image-opts", "--target-image-opts" ->
                name + ": images are named by file names here, not by lists of options";
            case "--object" -> name + ": there are no objects here: encrypted images cannot be read yet";
            case "--trace" -> name + ": nothing is traced here; PLATTER_DEBUG=1 shows where an error comes from";
            default -> null;
        };
    }
}
