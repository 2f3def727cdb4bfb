package dev.platter.linux;

import dev.platter.core.BlockIOException;
import dev.platter.core.Printable;
import java.io.Closeable;
import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Deque;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * An image as devices of the kernel, until this is closed; see {@link LinuxBindings#bind}. The image must stay open for as
 * long. Unmount before closing. Safe for many threads.
 *
 * <p>Where this process serves the device, it must not wait for the device itself: not keep files on it, not be swapped to it,
 * and not open what is mounted from it by the threads that serve.
 */
public final class Binding implements Closeable {
    private final BindingJournal journal;
    private final String image;
    private final boolean writable;
    private final List<Attachment> attachments = new ArrayList<>();
    private final Deque<Closeable> steps = new ArrayDeque<>();
    private final List<BoundHere> claims = new ArrayList<>();
    private final List<BoundDevice> partitions = new ArrayList<>();
    private final List<BoundDevice> volumes = new ArrayList<>();
    private final List<String> notes = new ArrayList<>();
    private @Nullable BoundDevice disk;

    /** Of the steps that are undone already. */
    private @Nullable IOException failure;

    /** @param image its name, for messages */
    Binding(BindingJournal journal, String image, boolean writable) {
        this.journal = journal;
        this.image = image;
        this.writable = writable;
        // the first step is the last to be undone
        steps.push(journal::end);
    }

    /** Returns the name of the binding, by which other processes find it. */
    public String tag() {
        return journal.tag();
    }

    /** Returns the device of the whole disk: {@code /dev/loop3}. */
    public Path device() {
        return disk().path();
    }

    /** Returns the device of the whole disk, with what is known of it. */
    public BoundDevice disk() {
        if (disk == null) {
            throw new IllegalStateException(tag() + ": is not bound yet");
        }
        return disk;
    }

    /** Returns the partitions, in the order of their table. */
    public List<BoundDevice> partitions() {
        return List.copyOf(partitions);
    }

    /** Returns the logical volumes. */
    public List<BoundDevice> volumes() {
        return List.copyOf(volumes);
    }

    /** Returns what has no device, and why, one sentence each. */
    public List<String> notes() {
        return List.copyOf(notes);
    }

    /** Returns whether the devices are still there: another process may have taken them away. */
    public synchronized boolean isThere() {
        for (Attachment attachment : attachments) {
            if (!attachment.isThere()) {
                return false;
            }
        }
        return !attachments.isEmpty();
    }

    /**
     * Returns whether this process answers for one of the devices, so that it has to stay. Otherwise the kernel reads the image
     * by itself.
     */
    public synchronized boolean isServed() {
        for (Attachment attachment : attachments) {
            if (attachment.isServed()) {
                return true;
            }
        }
        return false;
    }

    /** Returns whether something is mounted from the devices, as seen from here, or stands on them. */
    public synchronized boolean isUsed() throws IOException {
        List<Path> devices = new ArrayList<>();
        for (Attachment attachment : attachments) {
            devices.add(attachment.device());
        }
        for (Path device : devices) {
            if (!Holders.of(device, devices).isEmpty()) {
                return true;
            }
        }
        return false;
    }

    /**
     * Leaves the devices, which were made with {@link BindOptions#autoclear}, to those who use them now: they go away with the
     * last use, and at once if there is none. If this process answers for none of them, this is the end of the binding;
     * otherwise it is to be closed when they are gone.
     */
    public synchronized void leave() throws IOException {
        boolean served = isServed();
        attachments.forEach(Attachment::leave);
        if (!served) {
            attachments.clear();
            steps.clear();
            // from now on the kernel alone knows of it
            claims.forEach(BoundHere::end);
            journal.end();
        }
    }

    /** Registers what undoes a step, before the next one is made. */
    void push(Closeable step) {
        steps.push(step);
    }

    /** Registers that the image is bound here, until that is undone or left to the kernel. */
    void claim(BoundHere bound) {
        claims.add(bound);
        steps.push(bound::end);
    }

    void push(Attachment attachment) {
        attachments.add(attachment);
        steps.push(() -> {
            attachment.close();
            attachments.remove(attachment);
        });
    }

    void setDisk(BoundDevice device) {
        disk = device;
    }

    void addPartition(BoundDevice device) {
        partitions.add(device);
    }

    void addVolume(BoundDevice device) {
        volumes.add(device);
    }

    void note(String sentence) {
        notes.add(sentence);
    }

    /** Undoes all steps after a failure, whatever becomes of each. */
    void undo(Exception reason) {
        while (!steps.isEmpty()) {
            try {
                steps.pop().close();
            } catch (IOException | RuntimeException e) {
                reason.addSuppressed(e);
            }
        }
    }

    /**
     * Takes all devices away, the last one first, and waits until they are gone. If one of them is in use, all stay as they
     * were, and this can be called again.
     *
     * @throws BlockIOException of kind {@code BUSY} if a device is in use; the message says who uses it. Of another kind if all
     *     devices are gone, but not all that was written is stored: also what failed before, when the kernel could tell nobody
     */
    @Override
    public synchronized void close() throws IOException {
        List<Path> devices = new ArrayList<>();
        for (Attachment attachment : attachments) {
            if (attachment.isThere()) {
                devices.add(attachment.device());
            }
        }
        Holders.requireUnused(devices);
        while (!steps.isEmpty()) {
            try {
                steps.element().close();
            } catch (IOException e) {
                if (e instanceof BlockIOException block && block.kind() == BlockIOException.Kind.BUSY) {
                    // somebody came in between; this stays the next step to be undone
                    throw e;
                }
                failure = failure == null ? e : also(failure, e);
            }
            steps.pop();
        }
        IOException first = failure;
        failure = null;
        if (first != null) {
            throw writable ? loss(first) : first;
        }
    }

    private BlockIOException loss(IOException first) {
        StringBuilder reasons = new StringBuilder(String.valueOf(first.getMessage()));
        for (Throwable next : first.getSuppressed()) {
            reasons.append("; ").append(next.getMessage());
        }
        return new BlockIOException(
                first instanceof BlockIOException block ? block.kind() : BlockIOException.Kind.IO,
                Printable.escape(image) + ": what was written may not all be stored: " + reasons,
                first);
    }

    /**
     * Leaves word that not all that was written is stored, for who takes the devices away by another process, or asks what is
     * bound: for programs that nobody listens to when they find out. It stays, by a tag of its own, until {@link
     * LinuxBindings#release}.
     *
     * @param reason why, with the name of the image
     */
    public synchronized void leaveWord(IOException reason) throws IOException {
        // not the folder of the binding, which another process may be about to remove
        Path folder = RunFolder.open(RunFolder.DEFAULT).makeLike(tag() + "-loss");
        BindingJournal.begin(folder, image).addLoss(String.valueOf(reason.getMessage()));
    }

    private static IOException also(IOException first, IOException next) {
        first.addSuppressed(next);
        return first;
    }
}
