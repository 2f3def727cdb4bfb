package dev.platter.cli;

import dev.platter.core.Copier;
import java.io.Closeable;
import java.io.FileOutputStream;
import java.io.IOException;
import java.io.OutputStream;
import java.nio.charset.StandardCharsets;
import org.jspecify.annotations.Nullable;

/** Shows how far a copy is: not at all, as a bar, or in lines for other programs. */
final class CopyProgress implements Copier.Progress, Closeable {
    private final @Nullable ProgressView bar;
    private final @Nullable OutputStream lines;
    private int percent = -1;

    private CopyProgress(@Nullable ProgressView bar, @Nullable OutputStream lines) {
        this.bar = bar;
        this.lines = lines;
    }

    /** Begins to show what the command line asks for. */
    static CopyProgress of(NbdCopyArguments arguments, Stdio io) throws StartFailure {
        if (!arguments.progress) {
            return new CopyProgress(null, null);
        }
        int descriptor = arguments.progressDescriptor;
        return switch (descriptor) {
            case -1 -> new CopyProgress(new ProgressView("nbdcopy"), null);
            case 1 -> new CopyProgress(null, io.out());
            case 2 -> new CopyProgress(null, io.err());
            default -> new CopyProgress(null, open(descriptor));
        };
    }

    /** Java has no way to a descriptor but its name. Appending goes on behind what the file holds. */
    private static OutputStream open(int descriptor) throws StartFailure {
        try {
            return new FileOutputStream("/dev/fd/" + descriptor, true);
        } catch (IOException e) {
            throw new StartFailure("--progress=" + descriptor + ": no such descriptor: " + e.getMessage());
        }
    }

    @Override
    public boolean copied(long done, long total) {
        if (bar != null) {
            bar.copied(done, total);
        }
        if (lines != null && total > 0) {
            int now = done == total ? 100 : (int) (100.0 * done / total);
            if (now != percent) {
                percent = now;
                write(lines, now + "/100\n");
            }
        }
        return true;
    }

    /** A copy does not fail because nobody listens any more. */
    private static void write(OutputStream lines, String text) {
        try {
            lines.write(text.getBytes(StandardCharsets.US_ASCII));
            lines.flush();
        } catch (IOException e) {
            System.getLogger(CopyProgress.class.getName()).log(System.Logger.Level.DEBUG, "progress", e);
        }
    }

    @Override
    public void close() {
        if (bar != null) {
            bar.close();
        }
    }
}
