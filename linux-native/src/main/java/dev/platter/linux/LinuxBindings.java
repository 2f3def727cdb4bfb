package dev.platter.linux;

import com.sun.jna.Native;
import dev.platter.core.BlockDevice;
import dev.platter.core.BlockIOException;
import dev.platter.core.BlockIOException.Kind;
import dev.platter.core.DiskImage;
import dev.platter.core.ReadOnlyDeviceException;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.TimeUnit;
import org.jspecify.annotations.Nullable;

/**
 * Binds devices to those of the Linux kernel, so that they can be mounted: what {@code losetup}, {@code kpartx} and {@code
 * qemu-nbd -c} do, in one call that undoes itself. Needs the capability CAP_SYS_ADMIN.
 *
 * <pre>{@code
 * try (DiskImage image = DiskImages.open(Path.of("guest.qcow2"));
 *         Binding binding = LinuxBindings.bind(image, BindOptions.readOnly())) {
 *     binding.device(); // /dev/loop3
 * }
 * }</pre>
 *
 * <p>The kernel's code for file systems trusts what it mounts more than it should: an image from somebody else can attack it.
 * Reading the image without mounting it cannot.
 */
public final class LinuxBindings {
    private static final int MNT_DETACH = 2;
    private static final int UMOUNT_NOFOLLOW = 8;
    private static final long MOUNT_END_MILLIS = TimeUnit.SECONDS.toMillis(20);

    private LinuxBindings() {}

    /**
     * Checks that devices of the kernel can be made at all, before anything else is tried.
     *
     * @throws BlockIOException of kind {@code NOT_SUPPORTED}: what is missing, and what works without it
     */
    public static void requireDevices() throws IOException {
        LinuxSystem.require(LinuxSystem.Purpose.MAKE);
    }

    /**
     * Checks that devices of the kernel can be taken away at all, before anything else is tried.
     *
     * @throws BlockIOException of kind {@code NOT_SUPPORTED}: what is missing
     */
    public static void requireRelease() throws IOException {
        LinuxSystem.require(LinuxSystem.Purpose.TAKE_AWAY);
    }

    /**
     * Makes a device of the kernel, and those for partitions and volumes that the options ask for. If that fails, nothing of
     * it is left.
     *
     * @param image or a part of one; stays open, and is not closed with the binding. A part of a raw image that lies there in
     *     one piece is bound as that piece of the file
     * @throws BlockIOException of kind {@code NOT_SUPPORTED} if something is missing here, or the size is none that a device
     *     of the kernel can have; of kind {@code BUSY} if the same bytes are bound already, or the tag is
     * @throws ReadOnlyDeviceException if it is to be written to, and cannot
     */
    public static Binding bind(BlockDevice image, BindOptions options) throws IOException {
        LinuxSystem.require(LinuxSystem.Purpose.MAKE);
        requireBindable(image, options);
        RunFolder run = RunFolder.open(RunFolder.DEFAULT);
        String name = nameOf(image);
        String tag = options.tag();
        Path folder = tag == null ? run.makeLike(lastOf(name)) : run.make(tag);
        BindingJournal journal = BindingJournal.begin(folder, name);
        return new Binder(image, options, journal).bind();
    }

    private static void requireBindable(BlockDevice image, BindOptions options) throws IOException {
        if (options.isWritable() && image.features().readOnly()) {
            throw new ReadOnlyDeviceException(image.description());
        }
        if ((options.wantsPartitions() || options.wantsVolumes()) && options.catalog() == null) {
            throw new IllegalArgumentException("options: partitions and volumes need a catalog");
        }
        if (image.size() == 0 || image.size() % SysBlock.SECTOR != 0) {
            throw new BlockIOException(
                    Kind.NOT_SUPPORTED,
                    image.description() + ": has " + image.size()
                            + " bytes, and devices of the kernel have whole sectors of 512 only, at least one",
                    null);
        }
    }

    /** Returns the name by which a binding tells what is bound. */
    static String nameOf(BlockDevice image) {
        return image instanceof DiskImage disk ? disk.info().filename() : image.description();
    }

    private static String lastOf(String name) {
        String last = name.substring(name.lastIndexOf('/') + 1);
        int dot = last.lastIndexOf('.');
        return dot > 0 ? last.substring(0, dot) : last;
    }

    /**
     * Returns the bindings of this system that were made here, by this process or others.
     *
     * @throws BlockIOException of kind {@code NOT_SUPPORTED} if this user may not know: what is missing. What the kernel shows
     *     to everybody would be a part of the list that looks like all of it
     */
    public static List<BindingInfo> list() throws IOException {
        List<BindingInfo> found = new ArrayList<>();
        if (!Files.exists(RunFolder.DEFAULT)) {
            return found;
        }
        LinuxSystem.require(LinuxSystem.Purpose.LIST);
        RunFolder run = RunFolder.open(RunFolder.DEFAULT);
        for (String tag : run.tags()) {
            BindingJournal journal = BindingJournal.of(run.folder(tag));
            if (journal.exists()) {
                found.add(new BindingInfo(
                        tag,
                        journal.image(),
                        journal.devices(),
                        journal.process(),
                        journal.isServed(),
                        journal.loss()));
            }
        }
        return found;
    }

    /**
     * Takes the devices of a binding away, whoever made it. If its process is gone and it was the server, what is mounted from
     * it fails anyway, and is unmounted first; otherwise, mounts are in use. What a process could not store that served a
     * binding, and has left word of, is forgotten by that.
     *
     * @throws NoSuchFileException if there is no such binding
     * @throws BlockIOException of kind {@code BUSY} if a device is in use; the message says who uses it, and nothing was
     *     changed. Of kind {@code IO} if the binding is gone, but not all that was written is stored
     */
    public static void release(String tag) throws IOException {
        LinuxSystem.require(LinuxSystem.Purpose.TAKE_AWAY);
        BindingJournal journal =
                BindingJournal.of(RunFolder.open(RunFolder.DEFAULT).of(tag));
        String image = journal.image();
        List<DeviceMapper.Mapped> mapped = journal.mapped();
        List<Path> loops = journal.loops();
        List<Path> nbds = journal.nbds();
        List<Path> devices = new ArrayList<>();
        mapped.forEach(each -> devices.add(each.path()));
        devices.addAll(loops);
        devices.addAll(nbds);
        boolean dead = !journal.isServed() && !(journal.fuseFiles().isEmpty() && nbds.isEmpty());
        if (dead) {
            for (Path device : devices) {
                unmountDead(device);
            }
        }
        Holders.requireUnused(devices);
        IOException lost = null;
        for (DeviceMapper.Mapped each : mapped) {
            SystemCallException reason = DeviceMapper.tryRemove(each.name());
            lost = reason == null ? lost : reason;
        }
        for (Path loop : loops) {
            SystemCallException reason = LoopDevice.tryDetach(loop);
            lost = reason == null ? lost : reason;
        }
        for (Path nbd : nbds) {
            lost = disconnect(nbd, lost);
        }
        for (Path file : journal.fuseFiles()) {
            FuseFile.unmount(file);
        }
        String loss = journal.loss();
        journal.end();
        if (loss != null) {
            throw new BlockIOException(Kind.IO, loss, lost);
        }
        if (lost != null && !dead) {
            throw new BlockIOException(
                    Kind.IO, image + ": what was written may not all be stored: " + lost.getMessage(), lost);
        }
    }

    /** Returns what could not be stored so far. */
    private static @Nullable IOException disconnect(Path nbd, @Nullable IOException lost) throws IOException {
        try {
            NbdDevice.disconnect(nbd);
            return lost;
        } catch (BlockIOException e) {
            if (e.kind() == Kind.BUSY) {
                throw e;
            }
            return e;
        }
    }

    /** Releases each binding whose process is gone, and goes on after those that are in use. */
    public static void releaseDead() throws IOException {
        release(false);
    }

    /**
     * Releases every binding.
     *
     * @throws BlockIOException of kind {@code BUSY} if some are in use; all others are gone
     */
    public static void releaseAll() throws IOException {
        release(true);
    }

    private static void release(boolean alive) throws IOException {
        IOException first = null;
        for (BindingInfo binding : list()) {
            if (binding.alive() && !alive) {
                continue;
            }
            try {
                release(binding.tag());
            } catch (IOException e) {
                if (first == null) {
                    first = e;
                } else {
                    first.addSuppressed(e);
                }
            }
        }
        if (first != null) {
            throw first;
        }
    }

    /** What stands on a device that nobody serves can only fail. */
    private static void unmountDead(Path device) throws IOException {
        List<MountTable.Mount> mounts = MountTable.of(device);
        for (int i = mounts.size() - 1; i >= 0; i--) {
            if (LibC.umount2(mounts.get(i).point(), MNT_DETACH | UMOUNT_NOFOLLOW) != 0) {
                throw new SystemCallException(mounts.get(i).point() + ": umount", Native.getLastError());
            }
        }
        if (!mounts.isEmpty()) {
            Waiting.until(() -> isFree(device), MOUNT_END_MILLIS);
        }
    }

    private static boolean isFree(Path device) throws IOException {
        try {
            LoopDevice.openExclusively(device).close();
            return true;
        } catch (BlockIOException e) {
            return e.kind() != Kind.BUSY;
        }
    }
}
