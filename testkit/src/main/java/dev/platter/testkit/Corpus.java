package dev.platter.testkit;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.io.IOException;
import java.io.InputStream;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.zip.GZIPInputStream;
import org.jspecify.annotations.Nullable;
import org.opentest4j.TestAbortedException;

/**
 * The folder of test images with what the reference tools say of each. It is named by the system property {@code
 * platter.corpus}, a relative name starting at the project's root. Without it, {@code shared/corpus} is looked for
 * beside that root ({@code platter.root}, or the working directory) and beside the folders above it. Images are unpacked
 * when they are asked for, once for each JVM, into one temporary folder that is deleted at exit. Safe for many threads.
 */
public final class Corpus {
    private static final int CHUNK = 64 * 1024;
    private static final byte[] ZEROS = new byte[CHUNK];

    private final Path folder;
    private final JsonNode manifest;
    private final Map<String, CorpusImage> images = new LinkedHashMap<>();
    private final Set<String> unpacked = new HashSet<>();
    private @Nullable Path unpackFolder;

    private Corpus(Path folder) throws IOException {
        this.folder = folder;
        this.manifest =
                new ObjectMapper().readTree(folder.resolve("manifest.json").toFile());
        for (JsonNode image : manifest.path("images")) {
            images.put(image.path("file").asText(), new CorpusImage(image));
        }
    }

    /**
     * Returns the corpus, or skips the test (or the parameters of a test) with a message that says how to get it.
     *
     * @throws IllegalStateException if {@code platter.corpus} names no corpus: a mistyped name should not skip tests
     */
    public static Corpus assumeCorpus() {
        if (!Found.PROBLEM.isEmpty()) {
            throw new IllegalStateException(Found.PROBLEM);
        }
        if (Found.CORPUS == null) {
            throw new TestAbortedException("no image corpus here: name its folder with -Dplatter.corpus=");
        }
        return Found.CORPUS;
    }

    /** Returns the folder with the manifest. */
    public Path folder() {
        return folder;
    }

    /** Returns all images. */
    public List<CorpusImage> images() {
        return List.copyOf(images.values());
    }

    /** Returns the images of a category: {@code good}, {@code odd} or {@code hostile}. */
    public List<CorpusImage> images(String category) {
        List<CorpusImage> chosen = new ArrayList<>();
        for (CorpusImage image : images.values()) {
            if (image.category().equals(category)) {
                chosen.add(image);
            }
        }
        return chosen;
    }

    /**
     * Returns the image that is unpacked under a name.
     *
     * @throws IllegalArgumentException if the manifest has none of that name
     */
    public CorpusImage byFile(String file) {
        CorpusImage image = images.get(file);
        if (image == null) {
            throw new IllegalArgumentException("file: the corpus has no image " + file);
        }
        return image;
    }

    /** Returns the sets of disks that belong together. */
    public List<CorpusSet> sets() {
        List<CorpusSet> sets = new ArrayList<>();
        manifest.path("sets").forEach(set -> sets.add(new CorpusSet(set)));
        return sets;
    }

    /**
     * Returns the map of an image as {@code qemu-img map} gives it, from the manifest or from the file that the manifest
     * names; a missing node where there is none.
     */
    public JsonNode map(CorpusImage image) throws IOException {
        JsonNode file = image.expected().path("map_file");
        if (file.isMissingNode()) {
            return image.expected().path("map");
        }
        Path path = folder.resolve(file.asText());
        try (InputStream in = Files.newInputStream(path);
                InputStream plain = path.toString().endsWith(".gz") ? new GZIPInputStream(in) : in) {
            return new ObjectMapper().readTree(plain);
        }
    }

    /**
     * Unpacks an image, and what it requires, into the folder that all images share. The file is sparse unless the
     * manifest has a map of it, or of what requires it: recorded maps are of files without holes. It belongs to all tests: whoever writes takes {@link #copy}.
     */
    public Path unpack(String file) throws IOException {
        synchronized (unpacked) {
            unpackWithRequired(byFile(file));
            return unpackFolder().resolve(file);
        }
    }

    /** Unpacks an image, and what it requires, into a folder of the caller's own. */
    public Path copy(String file, Path into) throws IOException {
        CorpusImage image = byFile(file);
        unpackOne(image, into);
        for (String required : image.requires()) {
            if (!Files.exists(into.resolve(required))) {
                copy(required, into);
            }
        }
        return into.resolve(file);
    }

    private void unpackWithRequired(CorpusImage image) throws IOException {
        // marked first: two images can require each other
        if (unpacked.add(image.file())) {
            boolean done = false;
            try {
                unpackOne(image, unpackFolder());
                done = true;
            } finally {
                if (!done) {
                    unpacked.remove(image.file());
                }
            }
        }
        for (String required : image.requires()) {
            if (!unpacked.contains(required)) {
                unpackWithRequired(byFile(required));
            }
        }
    }

    private void unpackOne(CorpusImage image, Path into) throws IOException {
        Path target = into.resolve(image.file());
        boolean dense = isMapped(image);
        long size = 0;
        try (InputStream in = new GZIPInputStream(
                        Files.newInputStream(
                                folder.resolve(image.node().path("gz").asText())),
                        CHUNK);
                FileChannel out = FileChannel.open(
                        target,
                        StandardOpenOption.CREATE,
                        StandardOpenOption.TRUNCATE_EXISTING,
                        StandardOpenOption.WRITE)) {
            byte[] chunk = new byte[CHUNK];
            int read;
            while ((read = in.readNBytes(chunk, 0, CHUNK)) > 0) {
                if (dense || Arrays.mismatch(chunk, 0, read, ZEROS, 0, read) >= 0) {
                    out.write(ByteBuffer.wrap(chunk, 0, read), size);
                }
                size += read;
            }
            if (size > out.size()) {
                out.write(ByteBuffer.allocate(1), size - 1);
            }
        }
        if (size != image.size()) {
            throw new IOException(target + ": has " + size + " bytes, the manifest says " + image.size());
        }
    }

    private boolean isMapped(CorpusImage image) {
        return image.needsDenseFile()
                || images.values().stream()
                        .anyMatch(other ->
                                other.needsDenseFile() && other.requires().contains(image.file()));
    }

    private Path unpackFolder() throws IOException {
        if (unpackFolder == null) {
            unpackFolder = TempFolders.create("platter-corpus-");
        }
        return unpackFolder;
    }

    /** Found once, when first asked for. */
    private static final class Found {
        static final @Nullable Corpus CORPUS;
        static final String PROBLEM;

        static {
            Corpus corpus = null;
            String problem = "";
            try {
                corpus = find();
            } catch (IOException e) {
                problem = "platter.corpus: " + e;
            }
            CORPUS = corpus;
            PROBLEM = problem;
        }

        private static @Nullable Corpus find() throws IOException {
            String named = System.getProperty("platter.corpus", "");
            if (!named.isEmpty()) {
                return new Corpus(root().resolve(named));
            }
            for (Path above = root(); above != null; above = above.getParent()) {
                Path folder = above.resolve("shared/corpus");
                if (isCorpus(folder)) {
                    return new Corpus(folder);
                }
            }
            return null;
        }

        private static boolean isCorpus(Path folder) {
            return Files.isRegularFile(folder.resolve("manifest.json"));
        }

        private static Path root() {
            String root = System.getProperty("platter.root", "");
            return Path.of(root.isEmpty() ? System.getProperty("user.dir") : root)
                    .toAbsolutePath()
                    .normalize();
        }
    }
}
