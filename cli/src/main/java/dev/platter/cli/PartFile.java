package dev.platter.cli;

import dev.platter.core.Storages;
import java.io.Closeable;
import java.io.IOException;
import java.nio.file.FileAlreadyExistsException;
import java.nio.file.FileSystemException;
import java.nio.file.Files;
import java.nio.file.LinkOption;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.util.regex.Pattern;
import org.jspecify.annotations.Nullable;

/**
 * A file that appears under its name only when it is whole. Until then it lies beside it as {@code NAME.part-PID}; it is
 * deleted when it is closed before it was {@linkplain #commit committed}, and when the JVM is ended by a signal.
 */
final class PartFile implements Closeable {
    private static final int MOST_NAMES = 100;
    private static final String MARK = ".part-";

    private final Path target;
    private final Path path;
    private final boolean overwrite;
    private final Thread hook;
    private boolean finished;

    private PartFile(Path target, Path path, boolean overwrite) {
        this.target = target;
        this.path = path;
        this.overwrite = overwrite;
        this.hook = new Thread(this::deleteAtExit, "delete " + path);
    }

    /**
     * Begins a file.
     *
     * @throws FileAlreadyExistsException if {@code target} exists and may not be overwritten
     * @throws FileSystemException if it exists and is no regular file, or its folder cannot be written to
     */
    static PartFile create(Path target, boolean overwrite) throws IOException {
        Path real = target;
        if (Files.exists(target, LinkOption.NOFOLLOW_LINKS)) {
            if (!overwrite) {
                throw exists(target, null);
            }
            real = Files.exists(target) ? target.toRealPath() : target;
            if (Files.exists(real) && !Files.isRegularFile(real)) {
                throw new FileSystemException(target.toString(), null, "is no regular file; it is not overwritten");
            }
        }
        PartFile part = new PartFile(real, createBeside(real), overwrite);
        Runtime.getRuntime().addShutdownHook(part.hook);
        return part;
    }

    private static Path createBeside(Path target) throws IOException {
        Path name = target.getFileName();
        if (name == null) {
            throw new FileSystemException(target.toString(), null, "is no file name");
        }
        String base = name + MARK + ProcessHandle.current().pid();
        for (int i = 0; ; i++) {
            try {
                return Files.createFile(target.resolveSibling(i == 0 ? base : base + "-" + i));
            } catch (NoSuchFileException e) {
                NoSuchFileException missing =
                        new NoSuchFileException(target.toString(), null, "there is no such folder");
                missing.initCause(e);
                throw missing;
            } catch (FileAlreadyExistsException e) {
                // left behind by a process that was killed and had our number
                if (i == MOST_NAMES) {
                    throw e;
                }
            }
        }
    }

    private static FileAlreadyExistsException exists(Path target, @Nullable Throwable cause) {
        FileAlreadyExistsException e =
                new FileAlreadyExistsException(target.toString(), null, "exists already; --force overwrites it");
        if (cause != null) {
            e.initCause(cause);
        }
        return e;
    }

    /** Returns a message with the names of files that are being made as they are to be: the others are nobody's business. */
    static String withFinalNames(String message) {
        String mark = Pattern.quote(MARK + ProcessHandle.current().pid());
        return message.replaceAll(mark + "(-[0-9]+)?(?![0-9])", "");
    }

    /** Returns the file to write to. */
    Path path() {
        return path;
    }

    /** Gives the file its name, durably. Its bytes must be durable by now. */
    void commit() throws IOException {
        commit(true);
    }

    /** Gives the file its name. */
    synchronized void commit(boolean durably) throws IOException {
        if (finished) {
            throw new FileSystemException(target.toString(), null, "was not written: interrupted");
        }
        if (overwrite) {
            Files.move(path, target, StandardCopyOption.ATOMIC_MOVE);
        } else {
            link();
        }
        finished = true;
        if (durably) {
            Storages.syncFolder(target);
        }
    }

    /** A link, unlike a move, fails where a file has come into being meanwhile. */
    private void link() throws IOException {
        try {
            Files.createLink(target, path);
        } catch (FileAlreadyExistsException e) {
            throw exists(target, e);
        } catch (UnsupportedOperationException | FileSystemException e) {
            if (Files.exists(target, LinkOption.NOFOLLOW_LINKS)) {
                throw exists(target, e);
            }
            Files.move(path, target, StandardCopyOption.ATOMIC_MOVE);
            return;
        }
        Files.delete(path);
    }

    @Override
    public void close() throws IOException {
        delete();
        try {
            Runtime.getRuntime().removeShutdownHook(hook);
        } catch (IllegalStateException e) {
            // the JVM is ending, the hook has run or finds nothing to do
            return;
        }
    }

    private synchronized void delete() throws IOException {
        if (!finished) {
            finished = true;
            Files.deleteIfExists(path);
        }
    }

    private void deleteAtExit() {
        try {
            delete();
        } catch (IOException e) {
            System.err.println("platter: " + Failures.text(e));
        }
    }
}
