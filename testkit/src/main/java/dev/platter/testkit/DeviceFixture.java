package dev.platter.testkit;

import dev.platter.core.BlockDevice;
import java.io.Closeable;
import java.io.IOException;
import java.util.ArrayDeque;
import java.util.Deque;

/**
 * A device that {@link BlockDeviceContract} tries, and what is expected of it. The contract closes it after each test.
 */
public final class DeviceFixture implements Closeable {
    private final BlockDevice device;
    private final Contents contents;
    private final boolean writable;
    private final Deque<Closeable> behind = new ArrayDeque<>();
    private boolean doesIo = true;

    private DeviceFixture(BlockDevice device, Contents contents, boolean writable) {
        this.device = device;
        this.contents = contents;
        this.writable = writable;
    }

    /** Returns a fixture of a device that has to refuse writes. */
    public static DeviceFixture readOnly(BlockDevice device, Contents contents) {
        return new DeviceFixture(device, contents, false);
    }

    /** Returns a fixture of a device that the contract may write to. */
    public static DeviceFixture writable(BlockDevice device, Contents contents) {
        return new DeviceFixture(device, contents, true);
    }

    /** Says that requests may succeed on an interrupted thread, because none of them waits for anything. */
    public DeviceFixture withoutIo() {
        doesIo = false;
        return this;
    }

    /** Says what is closed after the device, the last one named first. */
    public DeviceFixture closing(Closeable... more) {
        for (Closeable one : more) {
            behind.push(one);
        }
        return this;
    }

    /** Returns the device. */
    public BlockDevice device() {
        return device;
    }

    /** Returns the bytes that it has when it is opened. */
    public Contents contents() {
        return contents;
    }

    /** Returns whether it takes writes. */
    public boolean isWritable() {
        return writable;
    }

    /** Returns whether an interrupted thread is refused. */
    public boolean doesIo() {
        return doesIo;
    }

    @Override
    public void close() throws IOException {
        behind.push(device);
        IOException failure = null;
        while (!behind.isEmpty()) {
            try {
                behind.pop().close();
            } catch (IOException e) {
                if (failure != null) {
                    e.addSuppressed(failure);
                }
                failure = e;
            }
        }
        if (failure != null) {
            throw failure;
        }
    }
}
