package dev.platter.cli;

import dev.platter.core.BlockIOException;
import dev.platter.core.BlockIOException.Kind;
import java.io.Closeable;
import java.io.IOException;
import java.util.concurrent.TimeUnit;

/**
 * Takes devices away as soon as nobody uses them any more. Whoever has something mounted from them would lose what is not yet
 * written, so there is no way to do it earlier.
 *
 * @param <T> what owns the devices
 */
final class PatientEnd<T extends Closeable> implements Closeable {
    private static final long STEP_MILLIS = 250;

    private final T devices;
    private final Object name;
    private final Stdio io;

    /** @param name of what is waited for */
    PatientEnd(T devices, Object name, Stdio io) {
        this.devices = devices;
        this.name = name;
        this.io = io;
    }

    T devices() {
        return devices;
    }

    @Override
    public void close() throws IOException {
        boolean said = false;
        while (true) {
            try {
                devices.close();
                return;
            } catch (BlockIOException e) {
                if (e.kind() != Kind.BUSY) {
                    throw e;
                }
                if (!said) {
                    io.message(Failures.text(e) + "; " + name + " ends when it is unmounted");
                    said = true;
                }
                pause(e);
            }
        }
    }

    private static void pause(BlockIOException busy) throws BlockIOException {
        try {
            TimeUnit.MILLISECONDS.sleep(STEP_MILLIS);
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            throw busy;
        }
    }
}
