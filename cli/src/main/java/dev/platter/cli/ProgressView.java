package dev.platter.cli;

import dev.platter.core.Copier;
import java.io.Closeable;
import me.tongfei.progressbar.ProgressBar;
import me.tongfei.progressbar.ProgressBarBuilder;
import me.tongfei.progressbar.ProgressBarStyle;

/** A bar on a terminal. Loaded only when one is shown. */
final class ProgressView implements Copier.Progress, Closeable {
    private final ProgressBar bar;

    /** @param task what is being done */
    ProgressView(String task) {
        bar = new ProgressBarBuilder()
                .setTaskName(task)
                .setInitialMax(0)
                .setUnit(" MiB", 1 << 20)
                .setStyle(ProgressBarStyle.ASCII)
                .setUpdateIntervalMillis(250)
                .showSpeed()
                .build();
    }

    @Override
    public boolean copied(long done, long total) {
        if (bar.getMax() != total) {
            bar.maxHint(total);
        }
        bar.stepTo(done);
        return true;
    }

    @Override
    public void close() {
        bar.close();
    }
}
