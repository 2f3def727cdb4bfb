package dev.platter.nbd.client;

import java.time.Duration;
import java.util.concurrent.Future;
import java.util.concurrent.ScheduledThreadPoolExecutor;
import java.util.concurrent.TimeUnit;

/** The one thread that ends what takes too long. It is there while something is watched, and holds no program up. */
final class Watchdog {
    private static final ScheduledThreadPoolExecutor THREAD = start();

    private Watchdog() {}

    private static ScheduledThreadPoolExecutor start() {
        ScheduledThreadPoolExecutor executor = new ScheduledThreadPoolExecutor(1, work -> {
            Thread thread = new Thread(work, "nbd watchdog");
            thread.setDaemon(true);
            return thread;
        });
        executor.setRemoveOnCancelPolicy(true);
        executor.setKeepAliveTime(10, TimeUnit.SECONDS);
        executor.allowCoreThreadTimeOut(true);
        return executor;
    }

    /** Runs something once, later, unless it is cancelled before. It must neither wait nor throw. */
    static Future<?> after(Duration delay, Runnable action) {
        return THREAD.schedule(action, delay.toNanos(), TimeUnit.NANOSECONDS);
    }

    /** Runs something again and again until it is cancelled. It must neither wait nor throw. */
    static Future<?> every(Duration period, Runnable check) {
        return THREAD.scheduleWithFixedDelay(check, period.toNanos(), period.toNanos(), TimeUnit.NANOSECONDS);
    }
}
