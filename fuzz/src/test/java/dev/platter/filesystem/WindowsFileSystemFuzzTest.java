package dev.platter.filesystem;

import com.code_intelligence.jazzer.junit.FuzzTest;

/** FAT, exFAT, NTFS, BitLocker; for the form of the input see {@link ProbedVolume}. */
class WindowsFileSystemFuzzTest {
    private final ProbedVolume volume = new ProbedVolume(Place.FAT, Place.EXFAT, Place.NTFS, Place.BITLOCKER);

    @FuzzTest
    void contentsAreRecognisedOrNot(byte[] input) {
        volume.check(input);
    }
}
