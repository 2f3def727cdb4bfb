package dev.platter.qcow2;

import static org.assertj.core.api.Assertions.assertThat;

import dev.platter.core.CheckReport;
import dev.platter.core.DiskImage;
import dev.platter.core.DiskImages;
import dev.platter.core.Durability;
import dev.platter.core.OpenOptions;
import dev.platter.core.ReferencePolicy;
import dev.platter.core.Storage;
import dev.platter.core.ZeroMode;
import dev.platter.testkit.CrashStorage;
import dev.platter.testkit.ForwardingStorage;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Random;

/**
 * An overlay and its backing file, in memory as far as a commit opens them. What an image finds below itself is a file in
 * the folder: a commit does not read there what it writes.
 */
final class CommitFiles implements Qcow2.Opener {
    static final OpenOptions OPTIONS =
            OpenOptions.builder().references(ReferencePolicy.all()).build();

    private final Path folder;
    private final String format;
    private final CrashStorage overlay;
    private final CrashStorage base;
    private int baseEnd = -1;

    private CommitFiles(Path folder, String format, byte[] overlay, byte[] base) throws IOException {
        this.folder = folder;
        this.format = format;
        this.overlay = new CrashStorage("overlay.qcow2", overlay);
        this.base = new CrashStorage("base", base);
        Files.write(baseFile(), base);
    }

    /** Makes a pair of any layout, with something in both. */
    static CommitFiles random(Path folder, Random random) throws IOException {
        boolean raw = random.nextInt(3) == 0;
        int sectors = 1 + random.nextInt(200);
        CrashStorage below = new CrashStorage("base", new byte[512 * sectors]);
        if (!raw) {
            below = new CrashStorage("base", new byte[0]);
            new NewImage(options(random, 512L * sectors).build()).write(below);
            fill(below, random);
        } else {
            byte[] bytes = new byte[512 * sectors];
            random.nextBytes(bytes);
            below.write(0, ByteBuffer.wrap(bytes));
        }
        String format = raw ? "raw" : "qcow2";
        CommitFiles start = new CommitFiles(folder, format, new byte[0], below.contents());
        CreateOptions.Builder create = options(random, 512L * (1 + random.nextInt(300)));
        new NewImage(create.backing("base", format).build()).write(start.overlay);
        fill(new At(start.overlay, start.overlayFile()), random);
        return start.again();
    }

    private static CreateOptions.Builder options(Random random, long size) {
        boolean extended = random.nextInt(4) == 0;
        return CreateOptions.builder(size)
                .clusterSize(extended ? 16 << 10 : 512 << random.nextInt(5))
                .extendedL2(extended)
                .refcountBits(1 << random.nextInt(7));
    }

    private static void fill(Storage storage, Random random) throws IOException {
        OpenOptions writable =
                OPTIONS.toBuilder().format("qcow2").writable(true).build();
        try (DiskImage image = DiskImages.open(storage, writable)) {
            int sectors = (int) (image.size() / 512);
            for (int i = 0; i < 8; i++) {
                int first = random.nextInt(sectors);
                int count = 1 + random.nextInt(Math.min(40, sectors - first));
                if (random.nextInt(4) == 0) {
                    image.writeZeroes(first * 512L, count * 512L, ZeroMode.MAY_UNMAP, Durability.NONE);
                } else {
                    byte[] bytes = new byte[count * 512];
                    random.nextBytes(bytes);
                    image.write(first * 512L, ByteBuffer.wrap(bytes), Durability.NONE);
                }
            }
        }
    }

    /** Returns the same files as they are now, with a history of their own. */
    CommitFiles again() throws IOException {
        return new CommitFiles(folder, format, overlay.contents(), base.contents());
    }

    Path overlayFile() {
        return folder.resolve("overlay.qcow2");
    }

    private Path baseFile() {
        return folder.resolve("base");
    }

    CrashStorage overlay() {
        return overlay;
    }

    CrashStorage base() {
        return base;
    }

    /** Returns after how many requests to the base the overlay was opened for writing. */
    int baseEnd() {
        return baseEnd;
    }

    @Override
    public Storage open(Path file, boolean writable) {
        if (file.equals(overlayFile())) {
            baseEnd = writable ? base.moment() : baseEnd;
            return new At(overlay, file);
        }
        return new At(base, file);
    }

    /** Returns what the guest of the overlay sees. */
    byte[] guest() throws IOException {
        return guest(overlay.contents(), base.contents());
    }

    /** Asserts that two states of the files are whole, and that the guest sees these bytes. */
    void assertShows(byte[] expected, byte[] overlayState, byte[] baseState) throws IOException {
        assertThat(guest(overlayState, baseState)).isEqualTo(expected);
        if (format.equals("qcow2")) {
            try (DiskImage image = Qcow2Builder.open(baseState, OpenOptions.defaults())) {
                CheckReport report = image.check(CheckOutcome.SILENT);
                assertThat(report.corruptions()).as(report::toString).isZero();
            }
        }
    }

    private byte[] guest(byte[] overlayState, byte[] baseState) throws IOException {
        Files.write(baseFile(), baseState);
        Storage storage = new At(new CrashStorage("overlay.qcow2", overlayState), overlayFile());
        try (DiskImage image = DiskImages.open(storage, OPTIONS)) {
            CheckReport report = image.check(CheckOutcome.SILENT);
            assertThat(report.corruptions()).as(report::toString).isZero();
            byte[] bytes = new byte[(int) image.size()];
            image.read(0, ByteBuffer.wrap(bytes));
            return bytes;
        }
    }

    /** A storage that says where it would lie. */
    private static final class At extends ForwardingStorage {
        private final Path path;

        At(Storage storage, Path path) {
            super(storage);
            this.path = path;
        }

        @Override
        public Path path() {
            return path;
        }
    }
}
