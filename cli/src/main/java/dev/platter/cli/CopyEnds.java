package dev.platter.cli;

import dev.platter.core.BlockDevice;
import dev.platter.core.BlockIOException;
import dev.platter.core.BlockStatusSource;
import dev.platter.core.ReadOnlyDeviceException;
import dev.platter.core.Storage;
import dev.platter.core.Storages;
import dev.platter.nbd.client.NbdClient;
import dev.platter.nbd.client.NbdClientOptions;
import dev.platter.nbd.client.NbdUri;
import java.io.Closeable;
import java.io.FileDescriptor;
import java.io.FileInputStream;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.Channel;
import java.nio.channels.FileChannel;
import java.nio.channels.ReadableByteChannel;
import java.nio.channels.WritableByteChannel;
import java.nio.file.FileSystemException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.List;
import org.jspecify.annotations.Nullable;

/** Opens what stands on the two ends of {@code platter nbdcopy}: exports, files, devices, pipes. */
final class CopyEnds {
    private static final String STANDARD = "-";
    private static final String NULL = "null:";
    private static final int MOST_CONNECTIONS = 16;
    private static final int MOST_REQUESTS = 64;

    private final NbdCopyArguments arguments;
    private final Stdio io;

    CopyEnds(NbdCopyArguments arguments, Stdio io) {
        this.arguments = arguments;
        this.io = io;
    }

    /**
     * Where bytes come from or go to: a device, or a channel where there is only one way through.
     *
     * @param name as it stood on the command line
     * @param isRemote whether each request waits for a server
     * @param isZeroed whether it is known to read as zeros
     */
    record End(
            String name,
            @Nullable BlockDevice device,
            @Nullable Channel channel,
            boolean isRemote,
            boolean isZeroed) implements Closeable {

        static End of(String name, BlockDevice device, boolean isRemote, boolean isZeroed) {
            return new End(name, device, null, isRemote, isZeroed);
        }

        static End of(String name, Channel channel) {
            return new End(name, null, channel, false, false);
        }

        ReadableByteChannel in() {
            if (channel instanceof ReadableByteChannel in) {
                return in;
            }
            throw new IllegalStateException(name + ": not to be read as a stream");
        }

        WritableByteChannel out() {
            if (channel instanceof WritableByteChannel out) {
                return out;
            }
            throw new IllegalStateException(name + ": not to be written as a stream");
        }

        @Override
        public void close() throws IOException {
            if (device != null) {
                device.close();
            }
            if (channel != null) {
                channel.close();
            }
        }
    }

    /** Opens what is read. */
    End source() throws IOException {
        String name = arguments.source();
        if (name.equals(STANDARD)) {
            return End.of(name, new FileInputStream(FileDescriptor.in).getChannel());
        }
        if (NbdAddress.is(name)) {
            return End.of(name, export(name, false), true, false);
        }
        Path file = Arguments.path(name);
        try {
            Storage storage = bytes(file, false);
            return storage == null
                    ? End.of(name, FileChannel.open(file, StandardOpenOption.READ))
                    : End.of(name, Storages.asDevice(storage), false, false);
        } catch (FileSystemException e) {
            throw new StartFailure(name + ": " + SystemErrors.text(e));
        }
    }

    /**
     * Opens what is written.
     *
     * @param from what will be copied to it; null for a stream
     */
    End destination(@Nullable BlockDevice from) throws IOException {
        String name = arguments.destination();
        if (name.equals(NULL)) {
            return End.of(name, new NullChannel());
        }
        if (name.equals(STANDARD)) {
            if (io.isTerminal()) {
                throw new StartFailure("refusing to write to tty");
            }
            return End.of(name, io.channel());
        }
        if (NbdAddress.is(name)) {
            return written(name, export(name, true), true, arguments.destinationIsZero);
        }
        try {
            return file(name, Arguments.path(name), from);
        } catch (FileSystemException e) {
            throw new StartFailure(name + ": " + SystemErrors.text(e));
        }
    }

    private End written(String name, BlockDevice device, boolean remote, boolean zeroed) {
        return arguments.allocated
                ? End.of(name, new DiscardIgnoringDevice(device), remote, false)
                : End.of(name, device, remote, zeroed);
    }

    private End file(String name, Path file, @Nullable BlockDevice from) throws IOException {
        boolean isNew = !Files.exists(file);
        if (!isNew && Files.isRegularFile(file) && isSource(file)) {
            throw new StartFailure(name + ": the destination is the source itself");
        }
        if (from == null || (!isNew && !Files.isRegularFile(file))) {
            Storage device = isNew || Files.isRegularFile(file) ? null : bytes(file, true);
            return device == null
                    ? End.of(name, stream(file))
                    : written(name, Storages.asDevice(device), false, arguments.destinationIsZero);
        }
        if (isNew) {
            Files.createFile(file);
        }
        Storage storage = Storages.open(file, true);
        try {
            // what was there is gone, and what is new reads as zeros
            storage.setSize(0);
            storage.setSize(from.size());
            return written(name, Storages.asDevice(storage), false, true);
        } catch (IOException | RuntimeException e) {
            storage.close();
            throw e;
        }
    }

    private boolean isSource(Path file) throws IOException {
        String source = arguments.source();
        return !source.equals(STANDARD) && !NbdAddress.is(source) && Files.isSameFile(file, Arguments.path(source));
    }

    private static FileChannel stream(Path file) throws IOException {
        return FileChannel.open(
                file, StandardOpenOption.WRITE, StandardOpenOption.CREATE, StandardOpenOption.TRUNCATE_EXISTING);
    }

    /** Opens a file or a block device; null if it is a pipe, or a device that is no disk. */
    private static @Nullable Storage bytes(Path file, boolean writable) throws IOException {
        try {
            return Storages.open(file, writable);
        } catch (BlockIOException e) {
            if (e.kind() == BlockIOException.Kind.NOT_SUPPORTED && !Files.isDirectory(file)) {
                return null;
            }
            throw e;
        }
    }

    private BlockDevice export(String name, boolean writable) throws IOException {
        NbdUri uri = NbdAddress.parse(name);
        NbdClientOptions.Builder options = NbdClientOptions.builder()
                .writable(writable)
                .oldstyle(true)
                .connections(Math.min(arguments.connections, MOST_CONNECTIONS))
                .requestsInFlight(Math.min(arguments.requests, MOST_REQUESTS))
                .onWarning(new Warnings(io));
        if (writable || !arguments.extents) {
            options.contexts(List.of());
        } else {
            options.contexts(List.of(BlockStatusSource.BASE_ALLOCATION));
        }
        try {
            return NbdClient.to(uri).with(options.build()).open();
        } catch (ReadOnlyDeviceException e) {
            throw new StartFailure(uri + ": the destination is read-only, cannot write to it");
        }
    }

    /** Takes everything and keeps nothing. */
    private static final class NullChannel implements WritableByteChannel {
        @Override
        public int write(ByteBuffer from) {
            int length = from.remaining();
            from.position(from.limit());
            return length;
        }

        @Override
        public boolean isOpen() {
            return true;
        }

        @Override
        public void close() {
            // there is nothing to let go
        }
    }
}
