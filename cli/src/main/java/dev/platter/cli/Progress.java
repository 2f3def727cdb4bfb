package dev.platter.cli;

import dev.platter.core.Copier;
import java.io.IOException;

/** Whether the progress of work is shown. */
final class Progress {

    private Progress() {}

    /** What can tell how far it is. */
    @FunctionalInterface
    interface Work {
        /** Does it, and tells {@code progress}. */
        void run(Copier.Progress progress) throws IOException;
    }

    /** Does work, with a bar if {@code -p} asks for one; {@code -q} forbids it, as for qemu-img. */
    static void show(Arguments arguments, String task, Work work) throws IOException {
        show(arguments.has("-p") && !arguments.has("--quiet"), task, work);
    }

    /** Does work, with a bar or without. */
    static void show(boolean bar, String task, Work work) throws IOException {
        if (!bar) {
            work.run((done, total) -> true);
            return;
        }
        try (ProgressView view = new ProgressView(task)) {
            work.run(view);
        }
    }
}
