package dev.platter.cli;

import dev.platter.core.BlockDevice;
import dev.platter.core.Copier;
import dev.platter.core.DiskImage;
import dev.platter.core.DiskImages;
import dev.platter.core.OpenOptions;
import dev.platter.core.Warning;
import java.io.IOException;
import java.util.Objects;
import java.util.function.Consumer;

/** What a command line names to be read: a file, or the address of an NBD export. Files load nothing of the client. */
final class ImageName {
    /** Reads that are under way at once of a disk that lies elsewhere: each one waits for the network. */
    private static final int REMOTE_READERS = 4;

    private static final int REMOTE_READ = 1 << 20;

    private final String text;
    private final boolean address;

    ImageName(String text) {
        this.text = text;
        this.address = NbdAddress.is(text);
    }

    boolean isAddress() {
        return address;
    }

    /** Opens it. */
    DiskImage open(OpenOptions options) throws IOException {
        return address
                ? DiskImages.open(NbdAddress.location(NbdAddress.parse(text)), options)
                : DiskImages.open(Arguments.path(text), options);
    }

    /** Returns what takes the warnings about opening it where a file needs none: what an export is can be a surprise. */
    Consumer<Warning> onOpening(Warnings warnings) {
        return address ? warnings : warning -> {};
    }

    /** Returns a copier of a device that comes from the images of a command line. */
    static Copier copier(BlockDevice device, Arguments arguments) {
        Copier copier = Copier.of(device);
        for (String image : arguments.parameters()) {
            if (NbdAddress.is(image)) {
                return copier.threads(REMOTE_READERS).chunkSize(REMOTE_READ);
            }
        }
        return copier;
    }

    /** Returns the name that {@code virt-df} shows: of a file or an address the last part, or all if that is empty. */
    String shortName() {
        if (!address) {
            return Objects.toString(Arguments.path(text).getFileName(), text);
        }
        // what stands behind a question mark are a socket, whose name says something, or files of keys
        int query = text.indexOf('?');
        boolean socket = query >= 0 && text.indexOf("socket=", query) >= 0;
        String named = query < 0 || socket ? text : text.substring(0, query);
        String last = named.substring(named.lastIndexOf('/') + 1);
        return last.isEmpty() ? named : last;
    }

    @Override
    public String toString() {
        return text;
    }
}
