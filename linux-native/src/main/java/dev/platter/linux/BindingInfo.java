package dev.platter.linux;

import java.nio.file.Path;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * A binding of this system, this process's or another's.
 *
 * @param tag its name
 * @param image what was bound, made fit to be shown
 * @param devices those of its devices that the kernel still has, the disk last
 * @param process the process that made it; -1 if that is not known
 * @param alive whether that process is still there. If it is not, its devices may fail; {@link LinuxBindings#release} cleans
 *     up
 * @param loss what could not be stored, if the process has left word of that; {@link LinuxBindings#release} forgets it. Null
 *     otherwise
 */
public record BindingInfo(
        String tag,
        String image,
        List<Path> devices,
        long process,
        boolean alive,
        @Nullable String loss) {

    /** Copies the devices. */
    public BindingInfo {
        devices = List.copyOf(devices);
    }
}
