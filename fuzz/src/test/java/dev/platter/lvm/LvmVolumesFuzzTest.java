package dev.platter.lvm;

import com.code_intelligence.jazzer.junit.FuzzTest;
import dev.platter.testkit.Promises;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;

/**
 * Volume groups and the volumes in them; the input is the metadata text of a group on two devices, with UUIDs of which
 * one is all {@code a}, the other all {@code b}.
 */
class LvmVolumesFuzzTest {
    private static final int AREA_AT = 1024;
    private static final int TEXT_AT = 512;

    @FuzzTest
    void volumesAreReadOrRefused(byte[] text) {
        byte[] first = device('a', text);
        byte[] second = device('b', text);
        Promises.ofMetadata(text.length).check(() -> SeenScan.check(first, second));
    }

    private static byte[] device(char uuid, byte[] text) {
        int areaSize = (TEXT_AT + text.length + 512) & -512;
        ByteBuffer bytes = ByteBuffer.allocate(AREA_AT + areaSize).order(ByteOrder.LITTLE_ENDIAN);
        put(bytes, 512, "LABELONE");
        bytes.putLong(512 + 8, 1).putInt(512 + 20, 32);
        put(bytes, 512 + 24, "LVM2 001");
        put(bytes, 512 + 32, String.valueOf(uuid).repeat(32));
        bytes.putLong(512 + 64, bytes.capacity()).putLong(512 + 72, 64 << 10);
        bytes.putLong(512 + 104, AREA_AT).putLong(512 + 112, areaSize);
        bytes.putInt(512 + 136, 2).putInt(512 + 140, 1);
        put(bytes, AREA_AT + 4, " LVM2 x[5A%r0N*>");
        bytes.putInt(AREA_AT + 20, 1).putLong(AREA_AT + 24, AREA_AT).putLong(AREA_AT + 32, areaSize);
        bytes.putLong(AREA_AT + 40, TEXT_AT).putLong(AREA_AT + 48, text.length + 1L);
        bytes.put(AREA_AT + TEXT_AT, text);
        PvSeal.seal(bytes.array());
        return bytes.array();
    }

    private static void put(ByteBuffer bytes, int at, String text) {
        bytes.put(at, text.getBytes(StandardCharsets.US_ASCII));
    }
}
