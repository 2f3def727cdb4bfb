package dev.platter.lvm;

import dev.platter.core.BlockDevice;
import dev.platter.core.BlockDevices;
import dev.platter.testkit.TestBytes;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;

/** Makes a physical volume in memory: label in sector 1, metadata area at 4096, test bytes from 64 KiB on. */
final class PvBytes {
    static final int AREA_AT = 4096;
    static final int AREA_SIZE = 60 << 10;
    static final int DATA_AT = 64 << 10;

    final ByteBuffer bytes;
    private final String uuid;

    PvBytes(String uuid, int size) {
        this.uuid = uuid;
        this.bytes = ByteBuffer.allocate(size).order(ByteOrder.LITTLE_ENDIAN);
        if (size > DATA_AT) {
            TestBytes.fill(DATA_AT, bytes.duplicate().position(DATA_AT));
        }
        label(1);
    }

    /** Writes a label into a sector. */
    PvBytes label(int sector) {
        int at = sector * 512;
        bytes.put(at, "LABELONE".getBytes(StandardCharsets.US_ASCII));
        bytes.putLong(at + 8, sector);
        bytes.putInt(at + 20, 32);
        bytes.put(at + 24, "LVM2 001".getBytes(StandardCharsets.US_ASCII));
        bytes.put(at + 32, uuid.replace("-", "").getBytes(StandardCharsets.US_ASCII));
        bytes.putLong(at + 64, bytes.capacity());
        bytes.putLong(at + 72, DATA_AT);
        bytes.putLong(at + 104, AREA_AT);
        bytes.putLong(at + 112, AREA_SIZE);
        bytes.putInt(at + 136, 2);
        bytes.putInt(at + 140, 1);
        sealLabel(sector);
        return this;
    }

    /** Sets the checksum of a label right. */
    void sealLabel(int sector) {
        int at = sector * 512;
        bytes.putInt(at + 16, LvmCrc.of(bytes, at + 20, at + 512));
    }

    /** Takes the metadata area out of the label. */
    PvBytes withoutArea() {
        bytes.putLong(512 + 104, 0);
        bytes.putLong(512 + 112, 0);
        bytes.putInt(512 + 136 - 16, 2);
        sealLabel(1);
        return this;
    }

    /** Writes a text, with its final NUL, at an offset in the area; it wraps around at the end. */
    PvBytes text(String text, int offset) {
        return text((text + "\0").getBytes(StandardCharsets.UTF_8), offset);
    }

    PvBytes text(String text) {
        return text(text, 512);
    }

    PvBytes text(byte[] text, int offset) {
        int before = Math.min(text.length, AREA_SIZE - offset);
        bytes.put(AREA_AT + offset, text, 0, before);
        bytes.put(AREA_AT + 512, text, before, text.length - before);
        bytes.put(AREA_AT + 4, " LVM2 x[5A%r0N*>".getBytes(StandardCharsets.US_ASCII));
        bytes.putInt(AREA_AT + 20, 1);
        bytes.putLong(AREA_AT + 24, AREA_AT);
        bytes.putLong(AREA_AT + 32, AREA_SIZE);
        bytes.putLong(AREA_AT + 40, offset);
        bytes.putLong(AREA_AT + 48, text.length);
        bytes.putInt(AREA_AT + 56, LvmCrc.of(ByteBuffer.wrap(text), 0, text.length));
        bytes.putInt(AREA_AT + 60, 0);
        sealArea();
        return this;
    }

    /** Sets the flag that says that the area is not kept up to date. */
    PvBytes ignored() {
        bytes.putInt(AREA_AT + 60, 1);
        sealArea();
        return this;
    }

    /** Sets the checksum of the area's header right. */
    void sealArea() {
        bytes.putInt(AREA_AT, LvmCrc.of(bytes, AREA_AT + 4, AREA_AT + 512));
    }

    BlockDevice device(String name) {
        return BlockDevices.ofBytes(name, bytes.duplicate().clear());
    }

    PhysicalVolumeCandidate candidate(String name) {
        return new PhysicalVolumeCandidate("/dev/" + name, device(name));
    }
}
