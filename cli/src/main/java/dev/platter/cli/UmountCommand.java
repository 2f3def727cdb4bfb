package dev.platter.cli;

import dev.platter.core.Printable;
import dev.platter.linux.BindingInfo;
import dev.platter.linux.LinuxBindings;
import dev.platter.linux.LoopDevice;
import dev.platter.linux.LoopStatus;
import dev.platter.linux.MountTable;
import java.io.IOException;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.locks.LockSupport;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Model.CommandSpec;

/** {@code platter umount}: undoes {@code platter mount}, and returns when all is stored. */
final class UmountCommand implements Command {
    private static final long SERVER_SECONDS = 60;
    private static final long LOOP_SECONDS = 10;
    private static final long STEP_MILLIS = 20;

    @Override
    public void describe(CommandSpec spec) {
        Model.parameters(spec, "DIR", "1..*", "the folder");
        Map<String, String> codes = new LinkedHashMap<>();
        codes.put("0", "it is unmounted, the device is gone, and what was written is stored");
        codes.put("1", "error; what is in use stays mounted, and the message says who uses it");
        codes.put("2", "usage");
        Model.help(
                spec,
                "Unmounts what platter mount mounted, and waits until the image is left in order. Needs root.",
                codes,
                "platter umount /mnt");
    }

    @Override
    public int run(Arguments arguments, Stdio io) throws IOException {
        LinuxBindings.requireRelease();
        int exit = ExitCode.WHOLE;
        for (String name : arguments.parameters()) {
            try {
                unmount(Arguments.path(name).toAbsolutePath().normalize());
            } catch (IOException e) {
                io.message(Failures.text(e));
                exit = ExitCode.ERROR;
            }
        }
        return exit;
    }

    private static void unmount(Path folder) throws IOException {
        MountTable.Mount mount = find(folder);
        if (mount == null) {
            throw new StartFailure(folder + ": nothing is mounted there");
        }
        BindingInfo binding = UnbindCommand.find(mount.source(), LinuxBindings.list());
        LoopStatus loop = loopOf(mount.source());
        if (binding == null && loop == null) {
            throw new StartFailure(
                    folder + ": is mounted from " + mount.source() + ", which platter did not bind; use umount");
        }
        BindingInfo dead = binding == null || binding.alive() ? null : binding;
        IOException lost = dead == null ? writeBack(Path.of(mount.point())) : null;
        MountProgram.unmount(Path.of(mount.point()));
        if (dead != null) {
            LinuxBindings.release(dead.tag());
        } else if (loop != null && loop.autoclear()) {
            awaitEnd(binding, loop);
        }
        if (lost != null) {
            throw new StartFailure(
                    imageOf(binding, loop) + ": what was written may not all be stored: " + Failures.text(lost));
        }
    }

    private static String imageOf(@Nullable BindingInfo binding, @Nullable LoopStatus loop) {
        if (binding != null) {
            return binding.image();
        }
        return loop == null ? "the image" : Printable.escape(loop.backingFile());
    }

    /** Returns what could not be stored, which umount would not say, or null. */
    private static @Nullable IOException writeBack(Path point) {
        try {
            MountTable.sync(point);
            return null;
        } catch (IOException e) {
            return e;
        }
    }

    /** The folder may itself be a link; what is mounted there may fail, so that it cannot be asked. */
    private static MountTable.@Nullable Mount find(Path folder) throws IOException {
        Path parent = folder.getParent();
        Path name = folder.getFileName();
        if (parent != null && name != null) {
            MountTable.Mount mount = MountTable.at(parent.toRealPath().resolve(name));
            if (mount != null) {
                return mount;
            }
        }
        return MountTable.at(folder.toRealPath());
    }

    private static @Nullable LoopStatus loopOf(String source) throws IOException {
        for (LoopStatus status : LoopDevice.list()) {
            if (status.device().toString().equals(source)) {
                return status;
            }
        }
        return null;
    }

    /** The device is one of {@code platter mount}, and ends with its last use. */
    private static void awaitEnd(@Nullable BindingInfo binding, LoopStatus loop) throws IOException {
        if (binding != null) {
            UnbindCommand.awaitEnd(binding, SERVER_SECONDS);
            UnbindCommand.requireStored(binding);
            if (UnbindCommand.find(binding.tag(), LinuxBindings.list()) != null) {
                throw new StartFailure(binding.tag() + ": is unmounted, and process " + binding.process()
                        + " is still storing what was written to " + binding.image());
            }
            return;
        }
        long end = System.nanoTime() + TimeUnit.SECONDS.toNanos(LOOP_SECONDS);
        while (System.nanoTime() < end) {
            LoopStatus now = loopOf(loop.device().toString());
            if (now == null || now.sequence() != loop.sequence()) {
                return;
            }
            LockSupport.parkNanos(TimeUnit.MILLISECONDS.toNanos(STEP_MILLIS));
        }
    }
}
