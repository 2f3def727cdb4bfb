package dev.platter.linux;

import dev.platter.core.Printable;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.DirectoryStream;
import java.nio.file.Files;
import java.nio.file.LinkOption;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * The steps of a binding in the order in which they were made, in a file of its folder, so that another process can undo them
 * when this one was killed. What it says of a device is believed only if the kernel says the same.
 *
 * <p>Each line is a word and its values: {@code process PID START BOOT}, {@code image NAME}, {@code fuse FILE}, {@code nbd
 * DEVICE BACKEND}, {@code loop DEVICE SEQUENCE BACKING-FILE}, {@code mapped NAME}, {@code loss TEXT}.
 */
final class BindingJournal {
    private static final String FILE = "state";
    private static final String NO_BACKEND = "-";
    private static final Path BOOT = Path.of("/proc/sys/kernel/random/boot_id");

    private final Path folder;

    private BindingJournal(Path folder) {
        this.folder = folder;
    }

    /** Begins the journal of a new folder. */
    static BindingJournal begin(Path folder, String image) throws IOException {
        BindingJournal journal = new BindingJournal(folder);
        long self = ProcessHandle.current().pid();
        journal.write("process " + self + " " + startOf(self) + " " + boot());
        journal.write("image " + Printable.escape(image));
        return journal;
    }

    static BindingJournal of(Path folder) {
        return new BindingJournal(folder);
    }

    /** Returns whether the binding is there, or somebody undid it. */
    boolean exists() {
        return Files.isDirectory(folder, LinkOption.NOFOLLOW_LINKS);
    }

    Path folder() {
        return folder;
    }

    String tag() {
        return String.valueOf(folder.getFileName());
    }

    private void write(String line) throws IOException {
        Files.writeString(
                folder.resolve(FILE),
                line + "\n",
                StandardCharsets.UTF_8,
                StandardOpenOption.CREATE,
                StandardOpenOption.APPEND);
    }

    /** Notes a file that is about to be mounted, and makes it. */
    Path addFuse(String name) throws IOException {
        Path file = folder.resolve(name);
        write("fuse " + name);
        Files.createFile(file);
        return file;
    }

    /** Notes a loop device that was bound. */
    void addLoop(LoopDevice loop) throws IOException {
        LoopStatus status = loop.status();
        if (status != null) {
            write("loop " + status.device() + " " + status.sequence() + " " + Printable.escape(status.backingFile()));
        }
    }

    /** Notes a device of device-mapper that is about to be made. */
    void addMapped(String name) throws IOException {
        write("mapped " + name);
    }

    /** Notes an nbd device that was connected, with what the kernel keeps of ours with it. */
    void addNbd(Path device) throws IOException {
        write("nbd " + device + " " + backendOf(device));
    }

    /** Returns {@link #NO_BACKEND} where the kernel is older than 5.14, and nothing where the device is not connected. */
    private static String backendOf(Path device) throws IOException {
        for (NbdDevice.Connected connected : NbdDevice.list()) {
            if (connected.path().equals(device)) {
                return connected.backend() == null ? NO_BACKEND : connected.backend();
            }
        }
        return "";
    }

    /** Notes that not all that was written is stored, for who was not there to be told. */
    void addLoss(String text) throws IOException {
        write("loss " + Printable.escape(text));
    }

    /** Returns what was noted of that, or null. */
    @Nullable
    String loss() throws IOException {
        List<String> losses = lines("loss");
        return losses.isEmpty() ? null : String.join("; ", losses);
    }

    private List<String> lines(String word) throws IOException {
        List<String> values = new ArrayList<>();
        try {
            for (String line : Files.readAllLines(folder.resolve(FILE), StandardCharsets.UTF_8)) {
                if (line.startsWith(word + " ")) {
                    values.add(line.substring(word.length() + 1));
                }
            }
        } catch (NoSuchFileException e) {
            // killed, or seen, before the first line
            return values;
        }
        return values;
    }

    /** Returns the name of what is bound. */
    String image() throws IOException {
        List<String> images = lines("image");
        return images.isEmpty() ? "" : images.get(0);
    }

    /** Returns the process that made the binding and serves it, or -1 if that is not known. */
    long process() throws IOException {
        List<String> processes = lines("process");
        return processes.isEmpty() ? -1 : Long.parseLong(processes.get(0).split(" ", -1)[0]);
    }

    /** Returns whether that process is still there, and no other one of its number. */
    boolean isServed() throws IOException {
        List<String> processes = lines("process");
        if (processes.isEmpty()) {
            return false;
        }
        String[] fields = processes.get(0).split(" ", -1);
        return isOfThisBoot() && fields[1].equals(startOf(Long.parseLong(fields[0])));
    }

    private boolean isOfThisBoot() throws IOException {
        List<String> processes = lines("process");
        return !processes.isEmpty() && processes.get(0).endsWith(" " + boot());
    }

    private static String boot() {
        return String.valueOf(SysBlock.text(BOOT));
    }

    /** Returns the loop devices that are still those of this binding, the last one first. */
    List<Path> loops() throws IOException {
        List<Path> loops = new ArrayList<>();
        if (!isOfThisBoot()) {
            return loops;
        }
        for (String line : lines("loop")) {
            String[] fields = line.split(" ", 3);
            LoopStatus status = LoopStatus.of(Path.of(fields[0]));
            if (status != null && isSame(status, Long.parseLong(fields[1]), fields[2])) {
                loops.add(status.device());
            }
        }
        addUnnoted(loops);
        Collections.reverse(loops);
        return loops;
    }

    /** Returns the nbd devices that are still those of this binding, the last one first. */
    List<Path> nbds() throws IOException {
        List<Path> devices = new ArrayList<>();
        if (!isOfThisBoot()) {
            return devices;
        }
        for (String line : lines("nbd")) {
            String[] fields = line.split(" ", 2);
            String backend = backendOf(Path.of(fields[0]));
            // without a mark of ours it could be anybody's, unless the process is there that has it
            if (!backend.isEmpty() && backend.equals(fields[1]) && (!backend.equals(NO_BACKEND) || isServed())) {
                devices.add(Path.of(fields[0]));
            }
        }
        Collections.reverse(devices);
        return devices;
    }

    /** Returns the devices of device-mapper that are still those of this binding, the last one first. */
    List<DeviceMapper.Mapped> mapped() throws IOException {
        List<DeviceMapper.Mapped> devices = new ArrayList<>();
        if (!isOfThisBoot()) {
            return devices;
        }
        for (String name : lines("mapped")) {
            DeviceMapper.Mapped mapped = DeviceMapper.find(name);
            if (mapped != null) {
                devices.add(mapped);
            }
        }
        Collections.reverse(devices);
        return devices;
    }

    /** Returns all devices that are still those of this binding, each before what it stands on. */
    List<Path> devices() throws IOException {
        List<Path> devices = new ArrayList<>();
        for (DeviceMapper.Mapped mapped : mapped()) {
            devices.add(mapped.link());
        }
        devices.addAll(loops());
        devices.addAll(nbds());
        return devices;
    }

    /** Whoever was killed between binding a file of this folder and noting it. */
    private void addUnnoted(List<Path> loops) throws IOException {
        for (LoopStatus status : LoopDevice.list()) {
            if (status.backingFile().startsWith(folder + "/") && !loops.contains(status.device())) {
                loops.add(status.device());
            }
        }
    }

    /** A file loses its name when its mount is taken out of sight, so that only tells where the kernel counts no uses. */
    private static boolean isSame(LoopStatus status, long sequence, String file) {
        return status.sequence() == sequence
                && (sequence != 0 || Printable.escape(status.backingFile()).equals(file));
    }

    /** Returns the files that were mounted, the last one first. */
    List<Path> fuseFiles() throws IOException {
        List<Path> files = new ArrayList<>();
        for (String name : lines("fuse")) {
            files.add(folder.resolve(name));
        }
        Collections.reverse(files);
        return files;
    }

    /** Removes the folder. Nothing of the binding may be left. */
    void end() throws IOException {
        try (DirectoryStream<Path> files = Files.newDirectoryStream(folder)) {
            for (Path file : files) {
                Files.deleteIfExists(file);
            }
        } catch (NoSuchFileException e) {
            // somebody else undid the binding
            return;
        }
        Files.deleteIfExists(folder);
    }

    /** Returns when a process began, as the kernel counts, or null if there is none. */
    private static @Nullable String startOf(long process) {
        String stat = SysBlock.text(Path.of("/proc", Long.toString(process), "stat"));
        if (stat == null) {
            return null;
        }
        // the second field is the name, in brackets, and may hold anything
        String[] fields = stat.substring(stat.lastIndexOf(')') + 2).split(" ", -1);
        return fields[19];
    }
}
