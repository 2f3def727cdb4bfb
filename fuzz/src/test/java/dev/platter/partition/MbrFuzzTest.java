package dev.platter.partition;

import com.code_intelligence.jazzer.junit.FuzzTest;
import java.util.Arrays;

/** MBR and chains of extended boot records; the input is a disk, whose first sector is made to end in 55 AA. */
class MbrFuzzTest {
    private static final int LEAST = 512;

    @FuzzTest
    void tableIsReadOrRefused(byte[] disk) {
        byte[] signed = Arrays.copyOf(disk, Math.max(LEAST, disk.length));
        signed[510] = 0x55;
        signed[511] = (byte) 0xaa;
        SeenTable.check(signed);
    }
}
