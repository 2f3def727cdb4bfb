package dev.platter.cli;

import java.nio.file.Files;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.jspecify.annotations.Nullable;

/**
 * What a command line names to be bound: {@code guest.qcow2}, {@code guest.qcow2:/dev/sda1}, {@code
 * nbd://host:/dev/vg0/root}.
 *
 * @param image the image
 * @param device a device in it, null for the whole disk
 */
record ImageDevice(ImageName image, @Nullable String device) {
    private static final String UUID = "[A-Za-z0-9]{6}(?:-[A-Za-z0-9]{4}){5}-[A-Za-z0-9]{6}";
    private static final Pattern WITH_DEVICE = Pattern.compile("(.+):(/dev/.+|" + UUID + "/" + UUID + ")");

    /** Reads a word. A file of exactly that name is an image, whatever colons are in it. */
    static ImageDevice parse(String word) {
        Matcher parts = WITH_DEVICE.matcher(word);
        if (!parts.matches() || Files.exists(Arguments.path(word))) {
            return new ImageDevice(new ImageName(word), null);
        }
        return new ImageDevice(new ImageName(parts.group(1)), parts.group(2));
    }

    @Override
    public String toString() {
        return device == null ? image.toString() : image + ":" + device;
    }
}
