package dev.platter.linux;

import dev.platter.core.BlockDevice;
import java.io.IOException;
import java.nio.file.Path;
import java.time.Duration;

/** An nbd device that this process serves. */
final class NbdAttachment implements Attachment {
    private final NbdDevice device;

    private NbdAttachment(NbdDevice device) {
        this.device = device;
    }

    /** Connects a free device. */
    static NbdAttachment of(BlockDevice bytes, BindOptions options, BindingJournal journal) throws IOException {
        NbdDeviceOptions.Builder chosen = NbdDeviceOptions.builder();
        if (!options.isWritable() || bytes.features().readOnly()) {
            chosen.readOnly();
        }
        Duration limit = options.timeout();
        if (limit != null) {
            chosen.timeout(Duration.ofSeconds(limit.toSeconds()));
        }
        NbdDevice device = NbdDevice.connect(bytes, chosen.build());
        try {
            journal.addNbd(device.path());
            return new NbdAttachment(device);
        } catch (IOException | RuntimeException e) {
            try {
                device.close();
            } catch (IOException second) {
                e.addSuppressed(second);
            }
            throw e;
        }
    }

    @Override
    public Path device() {
        return device.path();
    }

    @Override
    public boolean isThere() {
        try {
            return device.isConnected();
        } catch (IOException e) {
            // the kernel takes its files away with the device
            return false;
        }
    }

    @Override
    public boolean isServed() {
        return true;
    }

    /** Does nothing: this process notices the last use, and ends. */
    @Override
    public void leave() {}

    @Override
    public void close() throws IOException {
        device.close();
    }
}
