package dev.platter.cli;

import dev.platter.core.BlockDevice;
import dev.platter.core.DiskImage;
import dev.platter.core.DiskImageException;
import dev.platter.core.OpenOptions;
import dev.platter.core.Printable;
import dev.platter.filesystem.FileSystem;
import dev.platter.inspect.Disk;
import dev.platter.inspect.ImageInspector;
import dev.platter.inspect.Volume;
import dev.platter.linux.BindOptions;
import dev.platter.linux.Binding;
import dev.platter.linux.BoundDevice;
import dev.platter.linux.LinuxBindings;
import dev.platter.lvm.LogicalVolume;
import dev.platter.lvm.VolumeGroup;
import java.io.Closeable;
import java.io.IOException;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.stream.Collectors;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Model.CommandSpec;

/** What is bound: the disks of a guest, opened, and the one, or the device in them, that is meant. */
final class GuestDevice implements Closeable {
    private static final int DEFAULT_TIMEOUT_SECONDS = 120;
    private static final int MOST_FAILURES = 100;

    private final Arguments arguments;
    private final ImageInspector inspector;

    /** Name of the device in the guest; null until one is chosen, for the whole disk. */
    private @Nullable String name;

    private @Nullable Bound bound;

    /** What was made of it. */
    private record Bound(Binding binding, Launcher launcher, Stdio io) {}

    private GuestDevice(Arguments arguments, ImageInspector inspector) {
        this.arguments = arguments;
        this.inspector = inspector;
    }

    /** Adds the options that all commands have that bind. */
    static void describe(CommandSpec spec) {
        Model.flag(spec, "let the device be written to; without it, nothing ever writes to the image", "--writable");
        Model.flag(
                spec,
                "let file systems be written to although this system has one of the same UUID or label",
                "--allow-duplicates");
        Model.choice(
                spec,
                "WAY",
                "auto (the default): loop for raw files, else what there is; loop; nbd: /dev/nbd0; fuse: a loop device on"
                        + " a file that is served",
                List.of("auto", "loop", "nbd", "fuse"),
                "--as");
        Model.value(spec, "NAME", "name of the binding, for unbind; made from the file's if not given", "--tag");
        Model.value(
                spec,
                "SECONDS",
                "how long a request may take before the device fails, 120 if not given; 0 for any time",
                "--timeout");
        ReadingOptions.add(spec);
    }

    /**
     * Opens the disks of a guest.
     *
     * @param words the images, one of them perhaps with a device
     */
    static GuestDevice open(List<String> words, Arguments arguments, Stdio io) throws IOException {
        List<ImageName> images = new ArrayList<>();
        String device = null;
        for (String word : words) {
            ImageDevice parsed = ImageDevice.parse(word);
            images.add(parsed.image());
            if (parsed.device() != null) {
                if (device != null) {
                    throw new UsageException("two devices are named, " + device + " and " + parsed.device());
                }
                device = parsed.device();
            }
        }
        String snapshot = arguments.value("--snapshot");
        boolean writable = arguments.has("--writable");
        if (writable && snapshot != null) {
            throw new UsageException("--writable and --snapshot exclude each other: nobody writes to the past");
        }
        OpenOptions options = ReadingOptions.of(arguments, warning -> {}).toBuilder()
                .writable(writable)
                .build();
        GuestDevice opened = new GuestDevice(arguments, Inspections.open(images, options, snapshot));
        try {
            opened.requireWhole();
            Inspections.finish(opened.inspector, arguments, io, true);
            opened.name = device == null ? null : opened.nameOf(device);
            return opened;
        } catch (IOException | RuntimeException e) {
            opened.inspector.close();
            throw e;
        }
    }

    /** What an image lacks would be an error of the device, whose reason nobody would be told. */
    private void requireWhole() throws DiskImageException {
        for (Disk disk : inspector.disks()) {
            DiskImage image = disk.image();
            if (image != null && !image.problems().isEmpty()) {
                throw image.problems().get(0);
            }
        }
    }

    /** Returns the name that the inspection has for a volume that may be named by its UUID. */
    private String nameOf(String given) {
        for (VolumeGroup group : inspector.volumeGroups()) {
            for (LogicalVolume volume : group.logicalVolumes()) {
                String own = inspector.deviceName(group, volume);
                if (given.equals(group.uuid() + "/" + volume.uuid())
                        || given.equals("/dev/" + group.name() + "@" + group.uuid() + "/" + volume.name())) {
                    return own;
                }
            }
        }
        return given;
    }

    boolean isWholeDisk() {
        return name == null;
    }

    int disks() {
        return inspector.disks().size();
    }

    /**
     * Chooses the only file system there is, if no device is named.
     *
     * @param image as it stood on the command line
     * @throws UsageException if there are several; it lists them
     */
    void chooseFileSystem(String image) throws IOException {
        if (name != null) {
            requireMountable(image, name);
            return;
        }
        List<Volume> found = new ArrayList<>();
        for (Volume volume : inspector.volumes()) {
            if (BoundDevice.isMountable(contentOf(volume.name()))) {
                found.add(volume);
            }
        }
        if (found.isEmpty()) {
            throw new StartFailure(image
                    + ": there is no file system in it that can be mounted; platter inspect shows what" + " there is");
        }
        if (found.size() > 1) {
            throw new UsageException(image + ": there are " + found.size() + " file systems in it, say which: "
                    + found.stream()
                            .map(volume -> image + ":" + volume.name() + " (" + contentOf(volume.name()) + ")")
                            .collect(Collectors.joining(", ")));
        }
        name = found.get(0).name();
    }

    private void requireMountable(String image, String device) throws StartFailure {
        String content = contentOf(device);
        if (content == null || BoundDevice.isMountable(content)) {
            return;
        }
        String volumes = inspector.volumes().stream()
                .filter(volume -> volume.kind() == Volume.Kind.LOGICAL_VOLUME)
                .map(Volume::name)
                .collect(Collectors.joining(", "));
        throw new StartFailure(image + ":" + device + ": holds " + content + ", which cannot be mounted"
                + (content.equals("LVM2_member") && !volumes.isEmpty() ? "; the volumes in it can: " + volumes : ""));
    }

    /** Returns what was recognised in a device, in the words of blkid, or null. */
    @Nullable
    String contentOf(String device) {
        for (Volume volume : inspector.volumes()) {
            if (volume.name().equals(device)) {
                return volume.fileSystem().map(FileSystem::type).orElse(null);
            }
        }
        return null;
    }

    /**
     * Makes it a device of the kernel, until this is closed. What the kernel only hears to have failed is said with its reason.
     */
    Binding bind(BindOptions plain, Launcher launcher, Stdio io) throws IOException {
        String chosen = name;
        String first = inspector.disks().get(0).name();
        BlockDevice device = chosen == null ? inspector.disks().get(0).device() : inspector.device(chosen);
        BindOptions options = plain.as(way()).catalog(inspector, chosen == null ? first : chosen);
        AtomicInteger failures = new AtomicInteger();
        options = options.onError(failure -> {
            if (failures.incrementAndGet() <= MOST_FAILURES) {
                io.message(Failures.text(failure));
            }
        });
        if (arguments.has("--allow-duplicates")) {
            options = options.allowDuplicates();
        }
        String tag = arguments.value("--tag");
        if (tag != null) {
            options = options.tag(tag);
        }
        int seconds = timeout();
        if (seconds > 0) {
            options = options.timeout(Duration.ofSeconds(seconds));
        }
        Binding binding = LinuxBindings.bind(device, options);
        bound = new Bound(binding, launcher, io);
        return binding;
    }

    private BindOptions.Via way() {
        return switch (arguments.choice("--as", "auto", "auto", "loop", "nbd", "fuse")) {
            case "loop" -> BindOptions.Via.LOOP;
            case "nbd" -> BindOptions.Via.NBD;
            case "fuse" -> BindOptions.Via.FUSE;
            default -> BindOptions.Via.AUTO;
        };
    }

    private int timeout() {
        String value = arguments.value("--timeout");
        if (value == null) {
            return DEFAULT_TIMEOUT_SECONDS;
        }
        try {
            int seconds = Integer.parseInt(value);
            if (seconds >= 0) {
                return seconds;
            }
        } catch (NumberFormatException e) {
            throw new UsageException("--timeout=" + value + " is no number of seconds");
        }
        throw new UsageException("--timeout=" + value + " is no number of seconds");
    }

    /** Checks options before anything is opened. */
    static void check(Arguments arguments) {
        String tag = arguments.value("--tag");
        if (tag != null) {
            try {
                BindOptions.readOnly().tag(tag);
            } catch (IllegalArgumentException e) {
                throw new UsageException("--" + e.getMessage());
            }
        }
    }

    /** Says once whom a file system can attack, and which ones were not left in order. */
    void warn(List<BoundDevice> devices, Stdio io) {
        if (arguments.has("--quiet")) {
            return;
        }
        io.warning("what is mounted is read by the kernel's own code, which an image from somebody else can attack;"
                + " platter inspect and dump read without mounting, platter nbd serves a virtual machine");
        for (Volume volume : inspector.volumes()) {
            boolean bound = devices.stream().anyMatch(device -> device.name().equals(volume.name()));
            FileSystem content = volume.fileSystem().orElse(null);
            if (bound && content != null && content.state() == FileSystem.State.DIRTY) {
                io.warning(Printable.escape(volume.name()) + ": the " + content.type() + " was not left in order; "
                        + (arguments.has("--writable")
                                ? "mounting it repairs it as far as its journal can"
                                : "it is shown as it lies there, nothing is repaired"));
            }
        }
    }

    /** What cannot be stored is told to whoever took the devices away, if nobody can be told here. */
    @Override
    public void close() throws IOException {
        Bound made = bound;
        if (made == null) {
            inspector.close();
            return;
        }
        Binding binding = made.binding();
        boolean isTaken = !binding.isThere();
        try (inspector) {
            new PatientEnd<>(binding, "binding " + binding.tag(), made.io()).close();
        } catch (IOException e) {
            if (isTaken || made.launcher().isAlone()) {
                leaveWord(binding, e);
            }
            throw e;
        }
    }

    private static void leaveWord(Binding binding, IOException reason) {
        try {
            binding.leaveWord(reason);
        } catch (IOException e) {
            reason.addSuppressed(e);
        }
    }
}
