package dev.platter.cli;

import dev.platter.core.BlockIOException;
import dev.platter.linux.BindingInfo;
import dev.platter.linux.LinuxBindings;
import java.io.IOException;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Model.CommandSpec;

/** {@code platter unbind}: takes devices away, whoever bound them. */
final class UnbindCommand implements Command {
    private static final long END_SECONDS = 10;
    private static final Pattern PARTITION = Pattern.compile("(/dev/(?:loop|nbd)[0-9]+)(?:p[0-9]+)?");

    @Override
    public void describe(CommandSpec spec) {
        Model.flag(spec, "all bindings of this system", "--all");
        Model.parameters(
                spec, "WHAT", "0..*", "a device, /dev/loop3, or the name of a binding, as bind --list shows it");
        Map<String, String> codes = new LinkedHashMap<>();
        codes.put("0", "they are gone");
        codes.put("1", "error; a device that is in use stays as it was, and the message says who uses it");
        codes.put("2", "usage");
        Model.help(
                spec,
                "Takes devices of platter bind away, also those of processes that were killed, and waits until they are"
                        + " gone. Needs root.",
                codes,
                "platter unbind /dev/loop3",
                "platter unbind --all");
    }

    @Override
    public int run(Arguments arguments, Stdio io) throws IOException {
        List<String> names = arguments.parameters();
        if (arguments.has("--all") != names.isEmpty()) {
            throw new UsageException("name devices or bindings, or say --all");
        }
        LinuxBindings.requireRelease();
        List<BindingInfo> bindings = LinuxBindings.list();
        if (names.isEmpty()) {
            return release(bindings, io);
        }
        int exit = ExitCode.WHOLE;
        for (String name : names) {
            BindingInfo binding = find(name, bindings);
            if (binding == null) {
                io.message(name + ": nothing is bound by this name; platter bind --list shows what is");
                exit = ExitCode.ERROR;
            } else {
                exit = Math.max(exit, release(List.of(binding), io));
            }
        }
        return exit;
    }

    static @Nullable BindingInfo find(String name, List<BindingInfo> bindings) {
        Matcher parts = PARTITION.matcher(name);
        Path device = name.startsWith("/dev/") ? real(Path.of(parts.matches() ? parts.group(1) : name)) : null;
        for (BindingInfo binding : bindings) {
            if (binding.tag().equals(name)
                    || (device != null
                            && binding.devices().stream()
                                    .anyMatch(own -> real(own).equals(device)))) {
                return binding;
            }
        }
        return null;
    }

    /** Returns the node that a name below {@code /dev/mapper} stands for; others stand for themselves. */
    private static Path real(Path device) {
        try {
            return device.toRealPath();
        } catch (IOException e) {
            // it went away meanwhile
            return device;
        }
    }

    private static int release(List<BindingInfo> bindings, Stdio io) {
        int exit = ExitCode.WHOLE;
        for (BindingInfo binding : bindings) {
            try {
                release(binding);
            } catch (IOException e) {
                io.message(binding.tag() + ": " + Failures.text(e));
                exit = ExitCode.ERROR;
            }
        }
        return exit;
    }

    private static void release(BindingInfo binding) throws IOException {
        IOException lost = null;
        try {
            LinuxBindings.release(binding.tag());
        } catch (BlockIOException e) {
            if (e.kind() == BlockIOException.Kind.BUSY) {
                throw e;
            }
            // it is gone; the process that served it may know more
            lost = e;
        }
        awaitEnd(binding, END_SECONDS);
        requireStored(binding);
        if (lost != null) {
            throw lost;
        }
    }

    /**
     * Passes on what the process left word of that served the devices, and forgets it.
     *
     * @throws IOException if it could not store all that was written
     */
    static void requireStored(BindingInfo ended) throws IOException {
        for (BindingInfo left : LinuxBindings.list()) {
            if (left.loss() != null && left.process() == ended.process()) {
                LinuxBindings.release(left.tag());
            }
        }
    }

    /** The process that served a device has still to store what belongs to the image. */
    static void awaitEnd(BindingInfo binding, long seconds) {
        if (!binding.alive() || binding.process() == ProcessHandle.current().pid()) {
            return;
        }
        ProcessHandle process = ProcessHandle.of(binding.process()).orElse(null);
        if (process == null) {
            return;
        }
        try {
            process.onExit().get(seconds, TimeUnit.SECONDS);
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        } catch (ExecutionException | TimeoutException e) {
            // a program that bound it by itself goes on with other things
            return;
        }
    }
}
