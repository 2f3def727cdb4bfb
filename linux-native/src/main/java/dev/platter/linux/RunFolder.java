package dev.platter.linux;

import dev.platter.core.BlockIOException;
import dev.platter.core.BlockIOException.Kind;
import java.io.IOException;
import java.nio.file.DirectoryStream;
import java.nio.file.FileAlreadyExistsException;
import java.nio.file.Files;
import java.nio.file.LinkOption;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.regex.Pattern;

/**
 * The folder that says what is bound, with one folder for each binding. Whoever could write to it could have devices taken
 * away and other places mounted over, so it must belong to this user alone.
 */
final class RunFolder {
    static final Path DEFAULT = Path.of("/run/platter");

    private static final Pattern TAG = Pattern.compile("[A-Za-z0-9][A-Za-z0-9._-]{0,62}");
    private static final int MOST_OF_A_NAME = 9999;

    private final Path path;

    private RunFolder(Path path) {
        this.path = path;
    }

    /**
     * Opens the folder, and makes it if it is not there.
     *
     * @throws BlockIOException if somebody else could write to it
     */
    static RunFolder open(Path path) throws IOException {
        if (!tryMakeFolder(path)) {
            requireOwn(path);
        }
        return new RunFolder(path);
    }

    private static void makeFolder(Path folder) throws IOException {
        Files.createDirectory(
                folder, PosixFilePermissions.asFileAttribute(PosixFilePermissions.fromString("rwx------")));
    }

    private static boolean tryMakeFolder(Path folder) throws IOException {
        try {
            makeFolder(folder);
            return true;
        } catch (FileAlreadyExistsException e) {
            return false;
        }
    }

    private static void requireOwn(Path folder) throws IOException {
        Map<String, Object> attributes = Files.readAttributes(folder, "unix:mode,uid", LinkOption.NOFOLLOW_LINKS);
        int mode = attributes.get("mode") instanceof Integer number ? number : 0;
        Object self = Files.getAttribute(Path.of("/proc/self"), "unix:uid");
        if ((mode & 0170000) != 0040000 || (mode & 077) != 0 || !self.equals(attributes.get("uid"))) {
            throw new BlockIOException(
                    Kind.IO,
                    folder
                            + ": must be a folder that belongs to this user alone (mode 0700), and is not: it is not trusted;"
                            + " find out who made it, and remove it",
                    null);
        }
    }

    static void requireTag(String tag) {
        if (!TAG.matcher(tag).matches()) {
            throw new IllegalArgumentException(
                    "tag: \"" + tag + "\" is not made of 1 to 63 letters, digits, dots, lines and underscores");
        }
    }

    /**
     * Makes the folder of a binding.
     *
     * @throws BlockIOException of kind {@code BUSY} if there is one of that name
     */
    Path make(String tag) throws IOException {
        requireTag(tag);
        Path folder = path.resolve(tag);
        try {
            makeFolder(folder);
        } catch (FileAlreadyExistsException e) {
            throw new BlockIOException(
                    Kind.BUSY, "the tag " + tag + " is in use; choose another one, or unbind it first", e);
        }
        return folder;
    }

    /** Makes a folder of a name like that. */
    Path makeLike(String name) throws IOException {
        String letters = name.replaceAll("[^A-Za-z0-9]+", "-").replaceAll("^-+|-+$", "");
        String base = letters.isEmpty() ? "disk" : letters.substring(0, Math.min(letters.length(), 24));
        for (int i = 1; i <= MOST_OF_A_NAME; i++) {
            Path folder = path.resolve(i == 1 ? base : base + "-" + i);
            if (tryMakeFolder(folder)) {
                return folder;
            }
        }
        throw new BlockIOException(Kind.BUSY, path + ": is full of bindings called " + base, null);
    }

    /** Returns the folder of a binding, whether there is one or not. */
    Path folder(String tag) {
        requireTag(tag);
        return path.resolve(tag);
    }

    /** Returns the folder of a binding that is there. */
    Path of(String tag) throws IOException {
        Path folder = folder(tag);
        if (!Files.isDirectory(folder, LinkOption.NOFOLLOW_LINKS)) {
            throw new NoSuchFileException(tag, null, "nothing is bound by this tag");
        }
        return folder;
    }

    /** Returns the tags that are in use, in alphabetical order. */
    List<String> tags() throws IOException {
        List<String> tags = new ArrayList<>();
        try (DirectoryStream<Path> folders = Files.newDirectoryStream(path)) {
            for (Path folder : folders) {
                String tag = String.valueOf(folder.getFileName());
                if (TAG.matcher(tag).matches() && Files.isDirectory(folder, LinkOption.NOFOLLOW_LINKS)) {
                    tags.add(tag);
                }
            }
        }
        tags.sort(null);
        return tags;
    }
}
