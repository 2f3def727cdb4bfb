package dev.platter.linux;

import com.google.common.io.Closer;
import dev.platter.core.BlockDevice;
import java.io.IOException;
import java.nio.file.Path;
import org.jspecify.annotations.Nullable;

/** A loop device on a file: on that of a raw image, or on one that this process serves. */
final class LoopAttachment implements Attachment {
    private final LoopDevice loop;
    private final @Nullable FuseFile file;

    private LoopAttachment(LoopDevice loop, @Nullable FuseFile file) {
        this.loop = loop;
        this.file = file;
    }

    /** Binds a file, or a block device. */
    static LoopAttachment onFile(Path file, LoopOptions loopOptions, BindingJournal journal) throws IOException {
        LoopDevice loop = LoopDevice.attach(file, loopOptions);
        try {
            journal.addLoop(loop);
            return new LoopAttachment(loop, null);
        } catch (IOException | RuntimeException e) {
            closeAfter(e, loop, null);
            throw e;
        }
    }

    /**
     * Serves a device as a file, and binds that.
     *
     * @param name of the file
     */
    static LoopAttachment onServedFile(
            BlockDevice device, String name, LoopOptions loopOptions, BindOptions options, BindingJournal journal)
            throws IOException {
        Path path = journal.addFuse(name);
        FuseFile file = FuseFile.mount(
                device, path, loopOptions.readOnly(), options.threads(), options.timeout(), options.onError());
        LoopDevice loop = null;
        try {
            // two caches of the same bytes are one too many, and direct requests can wait for each other's answers
            loop = LoopDevice.attach(path, loopOptions.withDirectIo(true));
            journal.addLoop(loop);
            return new LoopAttachment(loop, file);
        } catch (IOException | RuntimeException e) {
            closeAfter(e, loop, file);
            throw e;
        }
    }

    private static void closeAfter(Exception reason, @Nullable LoopDevice loop, @Nullable FuseFile file) {
        Closer closer = Closer.create();
        closer.register(file);
        closer.register(loop);
        try {
            closer.close();
        } catch (IOException e) {
            reason.addSuppressed(e);
        }
    }

    @Override
    public Path device() {
        return loop.path();
    }

    @Override
    public boolean isThere() {
        return loop.status() != null;
    }

    @Override
    public boolean isServed() {
        return file != null;
    }

    @Override
    public void leave() {
        loop.leave();
    }

    @Override
    public void close() throws IOException {
        IOException lost = null;
        try {
            loop.close();
        } catch (IOException e) {
            if (isThere()) {
                throw e;
            }
            lost = e;
        }
        if (file != null) {
            file.close();
        }
        if (lost != null) {
            throw lost;
        }
    }
}
