package dev.platter.cli;

import dev.platter.linux.BindOptions;
import dev.platter.linux.Binding;
import dev.platter.linux.LinuxBindings;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.TimeUnit;
import picocli.CommandLine.Model.CommandSpec;

/** {@code platter mount}: a file system in an image, in a folder. */
final class MountCommand implements Command {
    private static final long STEP_MILLIS = 250;

    @Override
    public void describe(CommandSpec spec) {
        GuestDevice.describe(spec);
        Model.parameters(
                spec,
                "IMAGE... DIR",
                "1..*",
                "the image, a file or nbd://HOST/EXPORT, behind a colon the device in it, guest.qcow2:/dev/sda1, unless"
                        + " there is one file system only; then the folder");
        Map<String, String> codes = new LinkedHashMap<>();
        codes.put("0", "it is mounted");
        codes.put("1", "error; nothing is left of what was made");
        codes.put("2", "usage; the file systems to choose from are listed");
        Model.help(
                spec,
                "Mounts a file system of an image, read-only unless --writable is given, without device files, set-user-ID"
                        + " programs or any programs of the guest. What serves the image goes on in the background, and"
                        + " ends with platter umount, or umount. Needs root.",
                codes,
                "platter mount guest.img:/dev/sda1 /mnt",
                "platter mount --writable guest.qcow2:/dev/vg0/root /mnt",
                "platter umount /mnt");
    }

    @Override
    public int run(Arguments arguments, Stdio io) throws IOException {
        List<String> words = arguments.parameters();
        if (words.size() < 2) {
            throw new UsageException("an IMAGE or a DIR is missing");
        }
        GuestDevice.check(arguments);
        LinuxBindings.requireDevices();
        List<String> images = words.subList(0, words.size() - 1);
        Path folder = Arguments.path(words.get(words.size() - 1)).toAbsolutePath();
        if (!Files.isDirectory(folder)) {
            throw new StartFailure(folder + ": is no folder to mount on");
        }
        Launcher launcher = Launcher.of("platter mount");
        Holdings.during(io, holdings -> {
            GuestDevice guest = holdings.keep(() -> GuestDevice.open(images, arguments, io));
            guest.chooseFileSystem(
                    ImageDevice.parse(images.get(images.size() - 1)).image().toString());
            Binding binding = holdings.open(() -> guest.bind(options(arguments), launcher, io));
            if (binding.isServed() && !launcher.isForked()) {
                launcher.requireFork("this image must be served", true);
            }
            guest.warn(List.of(binding.disk()), io);
            binding.notes().forEach(io::message);
            MountProgram.mount(binding.disk(), folder);
            binding.leave();
            if (binding.isServed()) {
                launcher.ready();
                while (binding.isThere() && binding.isUsed()) {
                    TimeUnit.MILLISECONDS.sleep(STEP_MILLIS);
                }
            }
        });
        return ExitCode.WHOLE;
    }

    /** The device goes away with the mount, whoever unmounts it. */
    private static BindOptions options(Arguments arguments) {
        return (arguments.has("--writable") ? BindOptions.writable() : BindOptions.readOnly()).autoclear();
    }
}
