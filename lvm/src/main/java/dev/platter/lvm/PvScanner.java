package dev.platter.lvm;

import dev.platter.core.BlockDevice;
import dev.platter.core.Bounds;
import dev.platter.core.CorruptImageException;
import dev.platter.core.DiskImageException;
import dev.platter.core.Warning;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.ClosedByInterruptException;
import java.util.ArrayList;
import java.util.List;
import org.jspecify.annotations.Nullable;

/** Reads the label and the metadata areas of one device. */
final class PvScanner {
    private final PhysicalVolumeCandidate candidate;
    private final BlockDevice device;
    private final TextPool texts;
    private final List<GroupMetadata> copies = new ArrayList<>();
    private final List<Warning> warnings = new ArrayList<>();
    private @Nullable String problem;

    PvScanner(PhysicalVolumeCandidate candidate, TextPool texts) {
        this.candidate = candidate;
        this.device = candidate.device();
        this.texts = texts;
    }

    /**
     * Returns the physical volume on the device, or null when there is none or none whose label can be read; {@link
     * #problem} tells these apart.
     *
     * @throws ClosedByInterruptException if the thread is interrupted
     */
    @Nullable
    FoundPv scan() throws ClosedByInterruptException {
        PvLabel label;
        try {
            label = label();
        } catch (ClosedByInterruptException e) {
            throw e;
        } catch (IOException e) {
            addProblem(text(e));
            return null;
        }
        if (label == null) {
            return null;
        }
        if (label.deviceSize() < 0 || label.deviceSize() > device.size()) {
            warn(
                    0,
                    "the label speaks of " + Long.toUnsignedString(label.deviceSize()) + " bytes, the device has "
                            + device.size());
        }
        for (int i = 0; i < label.metadataAreas().size(); i++) {
            readArea(label.metadataAreas().get(i));
        }
        return new FoundPv(candidate, label, copies, problem, warnings);
    }

    /** Returns what is wrong with the device, the first of it, or null. */
    @Nullable
    String problem() {
        return problem;
    }

    /** Takes the first label that is right; a wrong one is a problem only if no right one follows. */
    private @Nullable PvLabel label() throws IOException {
        int size = (int) Math.min(device.size(), PvLabel.SCAN_SECTORS * PvLabel.SECTOR_SIZE);
        ByteBuffer sectors = ByteBuffer.allocate(size / PvLabel.SECTOR_SIZE * PvLabel.SECTOR_SIZE);
        device.read(0, sectors);
        PvLabel found = null;
        CorruptImageException wrong = null;
        for (int i = 0; i < sectors.capacity() / PvLabel.SECTOR_SIZE; i++) {
            ByteBuffer sector = sectors.slice(i * PvLabel.SECTOR_SIZE, PvLabel.SECTOR_SIZE);
            if (!PvLabel.isLabel(sector)) {
                continue;
            }
            if (found != null) {
                warn((long) i * PvLabel.SECTOR_SIZE, "sector " + i + " holds another LVM label, which is not used");
                continue;
            }
            try {
                found = PvLabel.parse(sector, i, device.description());
            } catch (CorruptImageException e) {
                wrong = wrong == null ? e : wrong;
            }
        }
        if (found == null && wrong != null) {
            throw wrong;
        }
        if (wrong != null) {
            warnings.add(new Warning(-1, text(wrong)));
        }
        return found;
    }

    private void readArea(DiskArea area) throws ClosedByInterruptException {
        String where = device.description() + ": metadata area at " + Long.toUnsignedString(area.offset());
        try {
            MetadataAreaHeader header = header(area, where);
            if (header.ignored()) {
                return;
            }
            if (header.hasText()) {
                copies.add(texts.group(text(header, where), where));
            }
        } catch (ClosedByInterruptException e) {
            throw e;
        } catch (IOException e) {
            addProblem(e instanceof DiskImageException ? text(e) : where + ": " + text(e));
        }
    }

    private MetadataAreaHeader header(DiskArea area, String where) throws IOException {
        if (!Bounds.inside(area.offset(), MetadataAreaHeader.HEADER_SIZE, device.size())) {
            throw new CorruptImageException(
                    where + ": it does not lie inside the device (" + device.size() + " bytes)");
        }
        ByteBuffer sector = ByteBuffer.allocate(MetadataAreaHeader.HEADER_SIZE);
        device.read(area.offset(), sector);
        MetadataAreaHeader header = MetadataAreaHeader.parse(sector, area.offset(), device.size(), where);
        if (header.size() != area.size()) {
            warn(
                    area.offset(),
                    "metadata area at " + area.offset() + ": the label gives it " + Long.toUnsignedString(area.size())
                            + " bytes, its header " + header.size());
        }
        return header;
    }

    private byte[] text(MetadataAreaHeader header, String where) throws IOException {
        texts.checkSize(header.textSize(), where);
        ByteBuffer text = ByteBuffer.allocate((int) header.textSize());
        text.limit((int) header.bytesBeforeWrap());
        device.read(header.start() + header.textOffset(), text);
        text.limit(text.capacity());
        if (text.hasRemaining()) {
            device.read(header.start() + MetadataAreaHeader.HEADER_SIZE, text);
        }
        if (LvmCrc.of(text, 0, text.capacity()) != header.textChecksum()) {
            throw new CorruptImageException(where + ": the text of " + header.textSize() + " bytes at "
                    + header.textOffset() + " does not match its checksum");
        }
        return text.array();
    }

    private void warn(long offset, String what) {
        warnings.add(new Warning(offset, device.description() + ": " + what));
    }

    private void addProblem(String what) {
        if (problem == null) {
            problem = what;
        } else {
            warnings.add(new Warning(-1, what));
        }
    }

    private static String text(IOException e) {
        String message = e.getMessage();
        return message == null ? e.getClass().getSimpleName() : message;
    }
}
