package dev.platter.lvm;

import java.nio.ByteBuffer;
import java.nio.ByteOrder;

/** Makes the checksums of a physical volume right: of labels, of the headers of metadata areas, of their texts. */
final class PvSeal {
    private static final int SECTOR = 512;
    private static final int AREA_FIELD = 104;

    private final ByteBuffer bytes;

    private PvSeal(byte[] volume) {
        this.bytes = ByteBuffer.wrap(volume).order(ByteOrder.LITTLE_ENDIAN);
    }

    static void seal(byte[] volume) {
        PvSeal seal = new PvSeal(volume);
        for (int sector = 0; sector < 4; sector++) {
            seal.sealLabel(sector * SECTOR);
        }
    }

    /** The area is looked for where the label of lvm has it: behind one data area. */
    private void sealLabel(int at) {
        if (at + SECTOR > bytes.capacity() || bytes.get(at) != 'L') {
            return;
        }
        long area = bytes.getLong(at + AREA_FIELD);
        if (area >= 0 && area <= bytes.capacity() - SECTOR) {
            sealArea((int) area);
        }
        bytes.putInt(at + 16, LvmCrc.of(bytes, at + 20, at + SECTOR));
    }

    private void sealArea(int at) {
        long text = bytes.getLong(at + 40);
        long size = bytes.getLong(at + 48);
        int room = bytes.capacity() - at;
        if (text > 0 && text < room && size > 0 && size <= room - text) {
            bytes.putInt(at + 56, LvmCrc.of(bytes, at + (int) text, at + (int) (text + size)));
        }
        bytes.putInt(at, LvmCrc.of(bytes, at + 4, at + SECTOR));
    }
}
