package dev.platter.interop;

import dev.platter.core.OpenOptions;
import dev.platter.core.ReferencePolicy;
import dev.platter.inspect.ImageInspector;
import dev.platter.testkit.Corpus;
import dev.platter.testkit.CorpusImage;
import dev.platter.testkit.CorpusSet;
import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;

/** Opens images of the corpus as its manifest says: format stated where it is raw, sector size, neighbours allowed. */
final class CorpusOpening {

    private CorpusOpening() {}

    static ImageInspector open(CorpusImage image) throws IOException {
        Path file = Corpus.assumeCorpus().unpack(image.file());
        return ImageInspector.open(file, options(image, file.resolveSibling(".")));
    }

    static ImageInspector open(CorpusSet set) throws IOException {
        List<Path> files = new ArrayList<>();
        for (String disk : set.disks()) {
            files.add(Corpus.assumeCorpus().unpack(disk));
        }
        return ImageInspector.open(files);
    }

    private static OpenOptions options(CorpusImage image, Path folder) {
        OpenOptions.Builder options =
                OpenOptions.builder().references(ReferencePolicy.under(folder)).sectorSize(image.logicalSectorSize());
        if (image.format().equals("raw")) {
            options.format("raw");
        }
        return options.build();
    }

    /** Returns the images that have a file of their own to open, and that have this in what is expected. */
    static List<CorpusImage> imagesWith(String key) {
        return Corpus.assumeCorpus().images().stream()
                .filter(image -> !image.file().endsWith(".data"))
                .filter(image -> image.expected().has(key))
                .toList();
    }
}
