package dev.platter.linux;

import java.io.PrintStream;
import java.time.Duration;
import java.util.List;
import org.junit.platform.engine.TestExecutionResult;
import org.junit.platform.engine.discovery.DiscoverySelectors;
import org.junit.platform.launcher.Launcher;
import org.junit.platform.launcher.LauncherDiscoveryRequest;
import org.junit.platform.launcher.TagFilter;
import org.junit.platform.launcher.TestExecutionListener;
import org.junit.platform.launcher.TestIdentifier;
import org.junit.platform.launcher.core.LauncherDiscoveryRequestBuilder;
import org.junit.platform.launcher.core.LauncherFactory;

/** Runs the guest's tests in one JVM and prints a line for each: {@code GuestTests [CLASS | CLASS#METHOD]...}. */
public final class GuestTests {
    private static final PrintStream OUT = System.out;

    private GuestTests() {}

    /** Runs all tests of the guest, or those that are named. Ends with 1 if one fails, or if there is none. */
    public static void main(String[] names) {
        LauncherDiscoveryRequestBuilder request =
                LauncherDiscoveryRequestBuilder.request().filters(TagFilter.includeTags("guest"));
        String place = GuestTests.class.getPackageName();
        if (names.length == 0) {
            request.selectors(DiscoverySelectors.selectPackage(place));
        }
        for (String name : List.of(names)) {
            request.selectors(
                    name.indexOf('#') < 0
                            ? DiscoverySelectors.selectClass(place + "." + name)
                            : DiscoverySelectors.selectMethod(place + "." + name));
        }
        Report report = new Report();
        run(LauncherFactory.create(), request.build(), report);
        OUT.println(report.passed + " passed, " + report.failed + " failed, " + report.skipped + " skipped");
        System.exit(report.failed > 0 || report.passed == 0 ? 1 : 0);
    }

    private static void run(Launcher launcher, LauncherDiscoveryRequest request, Report report) {
        launcher.execute(request, report);
    }

    private static final class Report implements TestExecutionListener {
        private int passed;
        private int failed;
        private int skipped;
        private long started;

        @Override
        public void executionStarted(TestIdentifier test) {
            started = System.nanoTime();
        }

        @Override
        public void executionSkipped(TestIdentifier test, String reason) {
            skipped++;
            OUT.println("SKIPPED " + test.getDisplayName() + ": " + reason);
        }

        @Override
        public void executionFinished(TestIdentifier test, TestExecutionResult result) {
            boolean success = result.getStatus() == TestExecutionResult.Status.SUCCESSFUL;
            if (test.isTest() || !success) {
                long seconds = Duration.ofNanos(System.nanoTime() - started).toSeconds();
                OUT.println(result.getStatus() + " " + test.getUniqueId().replaceAll(".*class:", "") + " (" + seconds
                        + " s)");
            }
            if (success) {
                passed += test.isTest() ? 1 : 0;
            } else if (result.getStatus() == TestExecutionResult.Status.ABORTED) {
                skipped++;
                result.getThrowable().ifPresent(why -> OUT.println("  " + why.getMessage()));
            } else {
                failed++;
                result.getThrowable().ifPresent(why -> why.printStackTrace(OUT));
            }
        }
    }
}
