package dev.platter.qcow2;

import static org.assertj.core.api.Assertions.assertThat;

import dev.platter.core.CheckListener;
import dev.platter.core.CheckReport;
import dev.platter.core.DiskImage;
import dev.platter.core.DiskImages;
import dev.platter.core.OpenOptions;
import dev.platter.testkit.CrashStorage;
import dev.platter.testkit.ReferenceTools;
import dev.platter.testkit.Seeds;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Random;
import java.util.concurrent.atomic.AtomicLong;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/**
 * The power goes at any moment: the image opens, its check finds leaks at most, every flushed byte is there, and nothing
 * shows up that was not written to that place.
 */
final class CrashTest {
    private static final int STEPS = 40;
    private static final int STATES = 4;

    @TempDir
    private Path folder;

    private final AtomicLong points = new AtomicLong();

    @Test
    void powerMayGoAtAnyMoment() throws Exception {
        int ran = Seeds.run(getClass(), 60, this::crash);

        assertThat(points.get()).isGreaterThanOrEqualTo(ran < 30 ? 1 : ran * 330L);
    }

    private void crash(Random random) throws IOException {
        CrashStorage storage = new CrashStorage("crash.qcow2", StartImage.random(random));
        OpenOptions writable = OpenOptions.builder().writable(true).build();
        GuestHistory history;
        try (Qcow2Disk image = (Qcow2Disk) DiskImages.open(storage, writable)) {
            history = new GuestHistory(image, storage);
            for (int i = 0; i < STEPS; i++) {
                history.stepWithSnapshots(random);
                history.assertLive();
                history.assertSnapshots(image);
            }
        }
        CrashStorage.Replay replay = storage.replay();
        // large files cost what many small ones do
        int states = storage.size() > 1 << 20 ? 0 : STATES;
        for (int moment = 0; moment <= replay.end(); moment++) {
            for (int k = 0; k <= Math.min(states, replay.pending(moment)); k++) {
                byte[] state = replay.state(moment, k == 0 ? null : random);
                try {
                    assertWhole(state, history, moment);
                } catch (IOException | AssertionError e) {
                    throw new AssertionError(
                            "power went at " + moment + " of " + replay.end() + ": " + e.getMessage(), e);
                }
                points.incrementAndGet();
            }
        }
        assertQemuAgrees(storage.contents());
    }

    private static void assertWhole(byte[] state, GuestHistory history, int moment) throws IOException {
        try (DiskImage image = Qcow2Builder.open(state, OpenOptions.defaults())) {
            history.assertAllowed(image, moment);
            history.assertSnapshots(image);
            CheckReport report = image.check(new CheckListener() {});
            assertThat(report.corruptions()).as(() -> String.valueOf(report)).isZero();
        }
    }

    private void assertQemuAgrees(byte[] state) throws IOException {
        if (!ReferenceTools.isInstalled("qemu-img")) {
            return;
        }
        Path file = Files.createTempFile(folder, "crash", ".qcow2");
        Files.write(file, state);
        int exit = ReferenceTools.run("qemu-img", "check", "-f", "qcow2", file.toString())
                .exit();
        assertThat(exit).as("qemu-img check after closing").isZero();
        Files.delete(file);
    }
}
