package dev.platter.cli;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.io.TempDir;

/** What tests of commands that make devices have in common: where they work, and that nothing is left of it. */
abstract class DeviceCommandTest {
    /** Name of the binding that a test makes. */
    static final String TAG = "cli-device-" + ProcessHandle.current().pid();

    @TempDir
    Path folder;

    /** An empty folder in that one, to mount on. */
    Path point;

    @BeforeEach
    void makeFolder() throws IOException {
        MountedGuests.assumeDevices();
        point = Files.createDirectory(folder.resolve("mnt"));
    }

    @AfterEach
    void nothingIsLeft() throws IOException {
        MountedGuests.clean(folder, TAG);
        MountedGuests.assertNothingLeft(folder, TAG);
    }
}
