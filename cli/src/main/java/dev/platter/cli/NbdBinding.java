package dev.platter.cli;

import dev.platter.core.BlockIOException;
import dev.platter.linux.NbdDevice;
import dev.platter.linux.NbdDeviceOptions;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;

/** {@code platter nbd -c} and {@code -d}: an image as {@code /dev/nbd0}. QEMU: qemu-nbd.c, nbd_client_thread. */
final class NbdBinding {

    private NbdBinding() {}

    /** Holds a device until somebody frees it, or a signal comes. */
    static void run(NbdArguments arguments, Launcher launcher, Stdio io) throws IOException {
        String name = String.valueOf(arguments.connect);
        Holdings.during(io, holdings -> {
            ServedImage image =
                    holdings.keep(() -> ServedImage.open(arguments.file, arguments.image, arguments.bitmaps, io));
            NbdDevice device = holdings.keep(() -> new PatientEnd<>(connect(name, image, arguments), name, io))
                    .devices();
            if (arguments.verbose) {
                io.line("NBD device " + name + " is now connected to " + arguments.file);
            }
            if (arguments.pidFile != null) {
                PidFile.write(arguments.pidFile);
            }
            launcher.ready();
            device.awaitEnd();
        });
    }

    private static NbdDevice connect(String name, ServedImage image, NbdArguments arguments) throws IOException {
        NbdDeviceOptions.Builder options = NbdDeviceOptions.builder().device(Arguments.path(name));
        if (arguments.image.readOnly) {
            options.readOnly();
        }
        try {
            return NbdDevice.connect(image.device(), options.build());
        } catch (IOException e) {
            throw new StartFailure("Failed to open " + name + ": " + Failures.text(e));
        }
    }

    /** Frees a device, whoever bound it. */
    static void disconnect(String name, Stdio io) throws IOException {
        Path device = Arguments.path(name);
        if (!Files.exists(device)) {
            throw new StartFailure("Cannot open " + name + ": No such file or directory");
        }
        try {
            if (isConnected(device)) {
                NbdDevice.disconnect(device);
            }
        } catch (BlockIOException e) {
            throw new StartFailure("Cannot free " + name + ": " + Failures.text(e));
        }
        io.print(name + " disconnected\n");
    }

    /** One that is free already is no failure, as there. */
    private static boolean isConnected(Path device) throws IOException {
        List<NbdDevice.Connected> connected = NbdDevice.list();
        Path real = device.toRealPath();
        return !String.valueOf(real.getFileName()).matches("nbd[0-9]+")
                || connected.stream().anyMatch(each -> each.path().equals(real));
    }
}
