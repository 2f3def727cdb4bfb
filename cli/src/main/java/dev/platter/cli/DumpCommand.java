package dev.platter.cli;

import dev.platter.core.BlockDevice;
import dev.platter.core.Copier;
import dev.platter.core.DiskImage;
import dev.platter.core.OpenOptions;
import dev.platter.core.Storage;
import dev.platter.core.Storages;
import dev.platter.inspect.ImageInspector;
import java.io.IOException;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Model.CommandSpec;

/** {@code platter dump}: the bytes of an image, a snapshot or a volume. */
final class DumpCommand implements Command {

    @Override
    public void describe(CommandSpec spec) {
        Model.value(
                spec,
                "NAME",
                "a partition or a volume as inspect shows it, /dev/sda1, /dev/vg0/root, or <VG UUID>/<LV UUID>; the"
                        + " whole disk if not given",
                "--device");
        Model.value(spec, "FILE", "write a file, with holes where there are zeros; - is standard output", "-o");
        Model.flag(spec, "overwrite FILE; write to a terminal", "--force");
        ReadingOptions.add(spec);
        Model.parameters(spec, "IMAGE", "1..*", "the disks of one guest, in order; several need --device");
        Map<String, String> codes = new LinkedHashMap<>();
        codes.put("0", "all bytes were written");
        codes.put("1", "error; no half file is left");
        codes.put("2", "usage");
        Model.help(
                spec,
                "Writes the bytes of an image, or of one volume in it, to a file or to standard output.",
                codes,
                "platter dump -o guest.raw guest.qcow2",
                "platter dump --device /dev/vg0/root guest.qcow2 | zstd -o root.img.zst",
                "platter dump --snapshot before-update -o before.raw guest.qcow2");
    }

    @Override
    public int run(Arguments arguments, Stdio io) throws IOException {
        List<ImageName> images = arguments.images();
        String name = arguments.value("--device");
        String file = arguments.value("-o");
        boolean toOutput = file == null || file.equals("-");
        if (images.size() > 1 && name == null) {
            throw new UsageException("several images need --device");
        }
        if (file == null && !arguments.has("--force") && io.isTerminal()) {
            throw new UsageException("standard output is a terminal; give -o FILE, or --force");
        }
        OpenOptions options = ReadingOptions.of(arguments, new Warnings(arguments, io));
        String snapshot = arguments.value("--snapshot");
        if (name != null) {
            try (ImageInspector inspector = Inspections.open(images, options, snapshot);
                    BlockDevice device = inspector.device(name)) {
                copy(device, toOutput ? null : file, arguments, io);
            }
            return ExitCode.WHOLE;
        }
        try (DiskImage image = images.get(0).open(options)) {
            if (snapshot == null) {
                copy(image, toOutput ? null : file, arguments, io);
                return ExitCode.WHOLE;
            }
            try (BlockDevice device = image.openSnapshot(snapshot)) {
                copy(device, toOutput ? null : file, arguments, io);
            }
        }
        return ExitCode.WHOLE;
    }

    private static void copy(BlockDevice device, @Nullable String file, Arguments arguments, Stdio io)
            throws IOException {
        boolean bar = !arguments.has("--quiet") && io.isErrorTerminal();
        Progress.show(
                bar,
                "dump",
                progress ->
                        copy(device, ImageName.copier(device, arguments).onProgress(progress), file, arguments, io));
    }

    private static void copy(BlockDevice device, Copier copier, @Nullable String file, Arguments arguments, Stdio io)
            throws IOException {
        if (file == null) {
            copier.to(io.channel());
            return;
        }
        try (PartFile part = PartFile.create(Arguments.file(file), arguments.has("--force"))) {
            try (Storage storage = Storages.open(part.path(), true)) {
                storage.setSize(device.size());
                copier.targetIsZeroed(true).to(Storages.asDevice(storage));
            }
            part.commit();
        }
    }
}
