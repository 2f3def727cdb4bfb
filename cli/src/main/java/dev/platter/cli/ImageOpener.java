package dev.platter.cli;

import dev.platter.core.BlockDevice;
import dev.platter.core.BlockDevices;
import dev.platter.core.BlockIOException;
import dev.platter.core.DiskImage;
import dev.platter.core.DiskImageException;
import dev.platter.core.DiskImages;
import dev.platter.core.OpenOptions;
import dev.platter.core.ReferencePolicy;
import dev.platter.core.ReferenceRefusedException;
import dev.platter.core.Storage;
import dev.platter.core.Storages;
import dev.platter.nbd.client.NbdUri;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.file.FileSystemException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/**
 * Opens what the command line of {@code platter nbd} names: a file, an address, or a tree of options. QEMU: block.c,
 * bdrv_open_inherit, and qapi/block-core.json.
 */
final class ImageOpener {
    private static final int QCOW2_MAGIC = 0x514649fb;

    /** What the drivers of QEMU have that changes nothing of what is served. */
    private static final Set<String> EVERYWHERE = Set.of(
            "node-name", "auto-read-only", "force-share", "cache.direct", "cache.no-flush", "id", "detect-zeroes");

    private static final Set<String> OF_FILES = Set.of("locking", "aio", "aio-max-batch", "drop-cache");

    private static final Set<String> OF_QCOW2 = Set.of(
            "lazy-refcounts",
            "pass-discard-request",
            "pass-discard-snapshot",
            "pass-discard-other",
            "overlap-check",
            "cache-size",
            "l2-cache-size",
            "l2-cache-entry-size",
            "refcount-cache-size",
            "cache-clean-interval");

    private final ImageArguments arguments;
    private final Stdio io;
    private final Warnings warnings;
    private boolean unmaps;

    ImageOpener(ImageArguments arguments, Stdio io) {
        this.arguments = arguments;
        this.io = io;
        this.warnings = new Warnings(io);
        this.unmaps = arguments.unmaps();
    }

    /** Returns whether the image that was opened gives back the space of what is discarded. */
    boolean unmaps() {
        return unmaps;
    }

    /**
     * Opens an image.
     *
     * @param file as it stood on the command line
     * @throws StartFailure if it cannot be; the message is that of QEMU where that has one
     */
    BlockDevice open(String file) throws IOException {
        String where = "Failed to blk_new_open '" + file + "'";
        if (arguments.options && arguments.format != null) {
            throw new StartFailure("--image-opts and -f are mutually exclusive");
        }
        try {
            if ("native".equals(arguments.aio) && !arguments.isDirect()) {
                throw new StartFailure(
                        "aio=native was specified, but it requires cache.direct=on, which was not specified.");
            }
            return arguments.options ? tree(DottedOptions.parse(file, "file", true)) : named(file);
        } catch (StartFailure e) {
            throw e.in(where);
        } catch (BlockIOException e) {
            if (e.kind() == BlockIOException.Kind.BUSY) {
                throw new StartFailure(
                        where + ": Failed to get \"write\" lock", "Is another process using the image [" + file + "]?");
            }
            throw new StartFailure(where + ": " + Failures.text(e));
        } catch (IOException e) {
            throw new StartFailure(where + ": " + Failures.text(e));
        }
    }

    /** A colon before the first slash makes a protocol, as in the names that images hold. */
    private BlockDevice named(String file) throws IOException {
        if (file.startsWith("json:")) {
            DottedOptions options;
            try {
                options = DottedOptions.json(file.substring("json:".length()));
            } catch (StartFailure e) {
                throw e.in("Could not parse the JSON options");
            }
            if (arguments.format != null) {
                options.put("driver", arguments.format);
            }
            return tree(options);
        }
        requireFormat(arguments.format);
        int colon = file.indexOf(':');
        int slash = file.indexOf('/');
        if (colon < 0 || (slash >= 0 && slash < colon)) {
            return plain(file, arguments.format, !arguments.readOnly && arguments.temporary);
        }
        String protocol = file.substring(0, colon);
        return switch (protocol) {
            case "file", "host_device" ->
                plain(file.substring(colon + 1), arguments.format, !arguments.readOnly && arguments.temporary);
            case "nbd", "nbds", "nbd+unix", "nbds+unix" -> address(NbdAddress.parse(file), arguments.format);
            default -> throw new StartFailure("Unknown protocol '" + protocol + "'");
        };
    }

    private BlockDevice plain(String name, @Nullable String format, boolean temporary) throws IOException {
        if (name.isEmpty()) {
            throw new StartFailure("The 'file' block driver requires a file name");
        }
        Path path = Arguments.path(name);
        if (Files.isDirectory(path)) {
            throw new StartFailure("Could not open '" + name + "': Is a directory");
        }
        try {
            return temporary ? overlaid(path, format) : image(path, format, !arguments.readOnly);
        } catch (FileSystemException e) {
            throw new StartFailure("Could not open '" + name + "': " + SystemErrors.text(e));
        }
    }

    private DiskImage image(Path path, @Nullable String format, boolean writable) throws IOException {
        OpenOptions options =
                options(format, writable).references(references(path)).build();
        DiskImage image;
        try {
            image = DiskImages.open(path, options);
        } catch (DiskImageException e) {
            if ("qcow2".equals(format) && !isQcow2(path)) {
                throw new StartFailure("Image is not in qcow2 format");
            }
            throw e;
        }
        if (format == null && writable && image.info().format().equals("raw")) {
            warnOfProbing(path);
        }
        return whole(image);
    }

    /** An image of which parts cannot be read is none to start a guest from. */
    private static DiskImage whole(DiskImage image) throws IOException {
        List<DiskImageException> problems = image.problems();
        if (!problems.isEmpty()) {
            image.close();
            throw problems.get(0);
        }
        return image;
    }

    private static boolean isQcow2(Path path) throws IOException {
        ByteBuffer magic = ByteBuffer.allocate(Integer.BYTES);
        try (Storage storage = Storages.open(path, false)) {
            storage.read(0, magic);
        }
        return magic.position() == Integer.BYTES && magic.getInt(0) == QCOW2_MAGIC;
    }

    private void warnOfProbing(Path path) {
        io.line("WARNING: Image format was not specified for '" + path + "' and probing guessed raw.");
        io.line(
                "         Automatically detecting the format is dangerous for raw images, write operations on block 0 will"
                        + " be restricted.");
        io.line("         Specify the 'raw' format explicitly to remove the restrictions.");
    }

    private BlockDevice overlaid(Path path, @Nullable String format) throws IOException {
        TemporaryOverlay overlay;
        try (DiskImage below = image(path, format, false)) {
            overlay = TemporaryOverlay.over(path, below.info().format(), below.size());
        }
        try {
            ReferencePolicy further = references(path);
            Path own = path.toAbsolutePath();
            OpenOptions options = options("qcow2", true)
                    .references(reference -> {
                        if (!own.equals(reference.path())) {
                            further.check(reference);
                        }
                    })
                    .build();
            return BlockDevices.owning(whole(DiskImages.open(overlay.path(), options)), overlay);
        } catch (IOException | RuntimeException e) {
            overlay.close();
            throw e;
        }
    }

    private OpenOptions.Builder options(@Nullable String format, boolean writable) {
        return OpenOptions.builder()
                .format(format)
                .writable(writable)
                .probeBackingFormat(arguments.probing)
                .onWarning(warnings);
    }

    private ReferencePolicy references(Path image) throws IOException {
        List<Path> folders = new ArrayList<>(arguments.references);
        for (Path path : List.of(image.toAbsolutePath(), image.toRealPath())) {
            Path folder = path.getParent();
            if (folder != null) {
                folders.add(folder);
            }
        }
        ReferencePolicy under = ReferencePolicy.under(folders.toArray(new Path[0]));
        return reference -> {
            try {
                under.check(reference);
            } catch (ReferenceRefusedException e) {
                throw new ReferenceRefusedException(e.getMessage()
                        + " (qemu-nbd opens whatever an image names; platter nbd, of itself, only files in the image's own"
                        + " folder)");
            }
        };
    }

    private BlockDevice address(NbdUri address, @Nullable String format) throws IOException {
        OpenOptions options = options(format, !arguments.readOnly).build();
        return whole(DiskImages.open(NbdAddress.location(address), options));
    }

    private static void requireFormat(@Nullable String format) throws StartFailure {
        if (format != null && !DiskImages.formats().contains(format)) {
            throw new StartFailure("Unknown driver '" + format + "'; known are "
                    + String.join(", ", DiskImages.formats()) + ", file, host_device, nbd");
        }
    }

    /** Opens a tree of options: a format over what lies in {@code file}, or bytes by themselves. */
    private BlockDevice tree(DottedOptions options) throws IOException {
        if (arguments.temporary && !arguments.readOnly) {
            throw new StartFailure("-s needs the plain name of an image; its overlay can name no options");
        }
        String discard = options.take("discard");
        if (discard != null) {
            try {
                unmaps = ImageArguments.discard(discard);
            } catch (StartFailure e) {
                throw new StartFailure("Invalid discard option");
            }
        }
        return node(options);
    }

    private BlockDevice node(DottedOptions options) throws IOException {
        String driver = options.take("driver");
        EVERYWHERE.forEach(options::take);
        if (options.takeFlag("read-only", false) && !arguments.readOnly) {
            throw new StartFailure("Block node is read-only");
        }
        if (driver != null) {
            switch (driver) {
                case "file", "host_device" -> {
                    return plain(takeFile(options), "raw", false);
                }
                case "nbd" -> {
                    return address(NbdAddress.take(options), "raw");
                }
                default -> requireFormat(driver);
            }
        }
        return format(driver, options);
    }

    private static String takeFile(DottedOptions options) throws StartFailure {
        EVERYWHERE.forEach(options::take);
        OF_FILES.forEach(options::take);
        String name = options.take("filename");
        if (name == null) {
            throw new StartFailure("The 'file' block driver requires a file name");
        }
        String left = options.left();
        if (left != null) {
            throw new StartFailure("Block protocol 'file' doesn't support the option '" + left + "'");
        }
        return name;
    }

    private BlockDevice format(@Nullable String driver, DottedOptions options) throws IOException {
        boolean raw = "raw".equals(driver);
        long offset = raw ? options.takeSize("offset", 0) : 0;
        long size = raw ? options.takeSize("size", -1) : -1;
        DottedOptions below = below(driver, options);
        BlockDevice device = over(driver, below);
        if (offset == 0 && size < 0) {
            return device;
        }
        try {
            return BlockDevices.owning(ServedImage.part(device, offset, size), device);
        } catch (IOException | RuntimeException e) {
            device.close();
            throw e;
        }
    }

    private static DottedOptions below(@Nullable String driver, DottedOptions options) throws StartFailure {
        String node = options.take("file");
        if (node != null) {
            throw noNode(node);
        }
        DottedOptions below = options.takeAll("file");
        if (below.isEmpty()) {
            throw new StartFailure(
                    driver == null
                            ? "Must specify either driver or file"
                            : "A block device must be specified for \"file\"");
        }
        if ("qcow2".equals(driver)) {
            OF_QCOW2.forEach(options::take);
            options.takeAll("overlap-check");
        }
        String left = options.left();
        if (left != null) {
            throw new StartFailure("Block format '" + (driver == null ? "raw" : driver)
                    + "' does not support the option '" + left + "'");
        }
        return below;
    }

    /** Opens a format over the bytes that {@code below} describes. */
    private BlockDevice over(@Nullable String format, DottedOptions below) throws IOException {
        String driver = below.take("driver");
        if (driver == null || driver.equals("file") || driver.equals("host_device")) {
            below.take("read-only");
            below.take("discard");
            return plain(takeFile(below), format, false);
        }
        if (driver.equals("nbd")) {
            return address(NbdAddress.take(below), format);
        }
        BlockDevice device = node(below.put("driver", driver));
        if ("raw".equals(format)) {
            return device;
        }
        if (!arguments.readOnly) {
            device.close();
            throw new StartFailure("an image inside another one can only be read; add -r");
        }
        return whole(DiskImages.open(Storages.of(device), options(format, false).build()));
    }

    private static StartFailure noNode(String name) {
        return new StartFailure("Cannot find device='" + name + "' nor node-name='" + name + "'");
    }
}
