package dev.platter.qcow2;

import dev.platter.core.DiskImage;
import dev.platter.core.DiskImageException;
import dev.platter.core.DiskImages;
import dev.platter.core.Durability;
import dev.platter.core.OpenOptions;
import dev.platter.core.ReadOnlyDeviceException;
import dev.platter.core.ReferencePolicy;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Objects;

/**
 * A program of its own, so that its heap can be small: opens each image of a list for writing, changes one cluster, reads
 * all of it again, and writes a line with what happened.
 */
final class CorpusWriting {
    static final byte PATTERN = 0x5c;
    private static final long MOST_READ = 16L << 20;

    private CorpusWriting() {}

    /**
     * What became of an image.
     *
     * @param outcome {@code written}; {@code open} or {@code write} if that was refused
     * @param offset of the cluster that was written
     * @param readable whether all of it could be read afterwards
     */
    record Result(String outcome, long offset, long length, boolean readable) {
        static Result parse(String line) {
            String[] words = line.split(" ", -1);
            return new Result(words[0], Long.parseLong(words[1]), Long.parseLong(words[2]), words[3].equals("true"));
        }

        @Override
        public String toString() {
            return outcome + " " + offset + " " + length + " " + readable;
        }
    }

    /** Takes the file with the list and the file for the results. */
    public static void main(String[] arguments) throws IOException {
        List<String> results = new ArrayList<>();
        for (String line : Files.readAllLines(Path.of(arguments[0]))) {
            results.add(write(Path.of(line)).toString());
        }
        Files.write(Path.of(arguments[1]), results);
    }

    private static OpenOptions.Builder options(Path file) {
        return OpenOptions.builder()
                .format("qcow2")
                .references(ReferencePolicy.under(file.resolveSibling("")))
                .probeBackingFormat(true);
    }

    private static Result write(Path file) throws IOException {
        String outcome = "open";
        long offset = 0;
        int length = 0;
        try (DiskImage image =
                DiskImages.open(file, options(file).writable(true).build())) {
            outcome = "write";
            int clusterSize =
                    Math.toIntExact(Objects.requireNonNull(image.info().clusterSize()));
            offset = image.size() / 2 & -clusterSize;
            length = (int) Math.min(clusterSize, image.size() - offset);
            byte[] bytes = new byte[length];
            Arrays.fill(bytes, PATTERN);
            image.write(offset, ByteBuffer.wrap(bytes), Durability.NONE);
        } catch (DiskImageException | ReadOnlyDeviceException e) {
            return new Result(outcome, 0, 0, false);
        }
        return new Result("written", offset, length, isReadable(file));
    }

    private static boolean isReadable(Path file) throws IOException {
        try (DiskImage image = DiskImages.open(file, options(file).build())) {
            ByteBuffer chunk = ByteBuffer.allocateDirect(1 << 20);
            for (long at = 0; at < image.size(); at += chunk.capacity()) {
                if (at == MOST_READ && image.size() - at > MOST_READ) {
                    at = image.size() - MOST_READ;
                }
                image.read(at, chunk.clear().limit((int) Math.min(chunk.capacity(), image.size() - at)));
            }
            return image.problems().isEmpty();
        } catch (DiskImageException e) {
            return false;
        }
    }
}
