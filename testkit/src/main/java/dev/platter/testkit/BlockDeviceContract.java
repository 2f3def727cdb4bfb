package dev.platter.testkit;

import java.io.IOException;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;

/**
 * What every {@link dev.platter.core.BlockDevice} has to do. A test class of a device extends this and says how to open
 * one; all tests of the contract then run on it, each on a device of its own:
 *
 * <pre>{@code
 * class LogicalVolumeContractTest extends BlockDeviceContract {
 *     @Override
 *     protected DeviceFixture open() throws IOException {
 *         return DeviceFixture.readOnly(volume, Contents.testBytes(volume.size()));
 *     }
 * }
 * }</pre>
 *
 * <p>The contract reads at most 16 MiB of a device, at both ends and at random, so that the device may be large. The
 * parts are in {@code ReadContract}, {@code ExtentContract}, {@code LifecycleContract}, {@code WriteContract} and {@code
 * ViewContract}.
 */
public abstract class BlockDeviceContract
        implements ReadContract, ExtentContract, LifecycleContract, WriteContract, ViewContract {
    private @Nullable DeviceFixture fixture;

    /** Makes the contract of what {@link #open} opens. */
    protected BlockDeviceContract() {}

    /** Opens the device; called before each test. May skip the test by an assumption. */
    protected abstract DeviceFixture open() throws IOException;

    /** Opens the device. */
    @BeforeEach
    public final void openFixture() throws IOException {
        fixture = open();
    }

    /** Closes what was opened. */
    @AfterEach
    public final void closeFixture() throws IOException {
        DeviceFixture opened = fixture;
        fixture = null;
        if (opened != null) {
            opened.close();
        }
    }

    @Override
    public final DeviceFixture fixture() {
        if (fixture == null) {
            throw new IllegalStateException("no device is open outside a test");
        }
        return fixture;
    }
}
