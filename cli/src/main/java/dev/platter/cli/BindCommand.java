package dev.platter.cli;

import dev.platter.core.Printable;
import dev.platter.linux.BindOptions;
import dev.platter.linux.Binding;
import dev.platter.linux.BindingInfo;
import dev.platter.linux.BoundDevice;
import dev.platter.linux.LinuxBindings;
import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.TimeUnit;
import java.util.stream.Collectors;
import picocli.CommandLine.Model.CommandSpec;

/** {@code platter bind}: an image as devices of the kernel, until the command ends. */
final class BindCommand implements Command {
    private static final long STEP_MILLIS = 250;

    @Override
    public void describe(CommandSpec spec) {
        Model.flag(spec, "make devices for the partitions, too", "--partitions");
        Model.flag(spec, "make devices for the logical volumes, too", "--volumes");
        GuestDevice.describe(spec);
        Model.flag(spec, "go into the background when the devices are there", "--fork");
        Model.value(spec, "PATH", "write the number of the process to a file", "--pid-file");
        Model.flag(spec, "list what is bound, and end", "--list");
        Model.parameters(
                spec,
                "IMAGE",
                "0..*",
                "the image, a file or nbd://HOST/EXPORT; behind a colon a device in it, guest.qcow2:/dev/vg0/root. Of"
                        + " several, the disks of one guest, a device must be named");
        Map<String, String> codes = new LinkedHashMap<>();
        codes.put("0", "the devices were there, and are gone; with --fork, they are there");
        codes.put("1", "error; nothing is left of what was made");
        codes.put("2", "usage");
        Model.help(
                spec,
                "Makes a disk, its partitions and its logical volumes devices of the Linux kernel, and prints them and how to"
                        + " mount them. They stay until the command is ended by a signal (INT, TERM, HUP), or by platter"
                        + " unbind. Nothing of the guest is renamed or written. Needs root.",
                codes,
                "platter bind --partitions --volumes guest.qcow2",
                "platter bind --fork --writable guest.qcow2:/dev/vg0/root",
                "platter bind --list");
    }

    @Override
    public int run(Arguments arguments, Stdio io) throws IOException {
        if (arguments.has("--list")) {
            list(io);
            return ExitCode.WHOLE;
        }
        LinuxBindings.requireDevices();
        List<String> images = arguments.parameters();
        if (images.isEmpty()) {
            throw new UsageException("an IMAGE is missing");
        }
        GuestDevice.check(arguments);
        Launcher launcher = Launcher.of("platter bind");
        launcher.requireFork("--fork", arguments.has("--fork"));
        Holdings.during(io, holdings -> {
            GuestDevice guest = holdings.keep(() -> GuestDevice.open(images, arguments, io));
            check(guest, arguments);
            Binding binding = holdings.open(() -> guest.bind(options(arguments), launcher, io));
            List<BoundDevice> devices = devices(binding);
            guest.warn(devices, io);
            binding.notes().forEach(io::message);
            print(binding, devices, io);
            String pidFile = arguments.value("--pid-file");
            if (pidFile != null) {
                PidFile.write(pidFile);
            }
            launcher.ready();
            while (binding.isThere()) {
                TimeUnit.MILLISECONDS.sleep(STEP_MILLIS);
            }
        });
        return ExitCode.WHOLE;
    }

    private static void check(GuestDevice guest, Arguments arguments) {
        boolean parts = arguments.has("--partitions") || arguments.has("--volumes");
        if (guest.isWholeDisk() && guest.disks() > 1) {
            throw new UsageException("several images need a device, such as "
                    + arguments.parameters().get(0) + ":/dev/vg0/root");
        }
        if (!guest.isWholeDisk() && parts) {
            throw new UsageException("--partitions and --volumes are for whole disks, and a device is named");
        }
    }

    private static BindOptions options(Arguments arguments) {
        BindOptions options = arguments.has("--writable") ? BindOptions.writable() : BindOptions.readOnly();
        if (arguments.has("--partitions")) {
            options = options.partitions();
        }
        return arguments.has("--volumes") ? options.volumes() : options;
    }

    private static List<BoundDevice> devices(Binding binding) {
        List<BoundDevice> devices = new ArrayList<>(List.of(binding.disk()));
        devices.addAll(binding.partitions());
        devices.addAll(binding.volumes());
        return devices;
    }

    private static void print(Binding binding, List<BoundDevice> devices, Stdio io) throws IOException {
        StringBuilder text = new StringBuilder();
        int paths = 0;
        int names = 0;
        for (BoundDevice device : devices) {
            paths = Math.max(paths, device.path().toString().length());
            names = Math.max(names, Printable.escape(device.name()).length());
        }
        for (BoundDevice device : devices) {
            String content = device.content();
            text.append(padded(device.path().toString(), paths))
                    .append(padded(Printable.escape(device.name()), names))
                    .append(padded(Sizes.human(device.size()), 5))
                    .append(content == null ? "" : content);
            endLine(text);
        }
        for (BoundDevice device : devices) {
            if (device.isMountable()) {
                text.append(device.mountCommand("/mnt")).append('\n');
            }
        }
        io.print(text.append("platter unbind ")
                .append(binding.tag())
                .append('\n')
                .toString());
    }

    private static String padded(String text, int width) {
        return text + " ".repeat(Math.max(0, width - text.length()) + 2);
    }

    private static void endLine(StringBuilder text) {
        while (text.charAt(text.length() - 1) == ' ') {
            text.setLength(text.length() - 1);
        }
        text.append('\n');
    }

    private static void list(Stdio io) throws IOException {
        for (BindingInfo binding : LinuxBindings.list()) {
            io.print(binding.tag() + ": " + devices(binding) + " of " + binding.image() + ", " + state(binding) + "\n");
        }
    }

    private static String state(BindingInfo binding) {
        if (binding.loss() != null) {
            return "which is not in order: " + binding.loss() + "; platter unbind " + binding.tag() + " forgets this";
        }
        return binding.alive()
                ? "process " + binding.process()
                : "whose process is gone; platter unbind " + binding.tag() + " cleans up";
    }

    private static String devices(BindingInfo binding) {
        return binding.devices().isEmpty()
                ? "no device"
                : binding.devices().stream().map(Path::toString).collect(Collectors.joining(", "));
    }
}
