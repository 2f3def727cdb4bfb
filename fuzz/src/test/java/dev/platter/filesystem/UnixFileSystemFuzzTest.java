package dev.platter.filesystem;

import com.code_intelligence.jazzer.junit.FuzzTest;

/** ext, XFS, btrfs, F2FS, swap, squashfs; for the form of the input see {@link ProbedVolume}. */
class UnixFileSystemFuzzTest {
    private final ProbedVolume volume =
            new ProbedVolume(Place.EXT, Place.XFS, Place.BTRFS, Place.F2FS, Place.SWAP, Place.SQUASHFS);

    @FuzzTest
    void contentsAreRecognisedOrNot(byte[] input) {
        volume.check(input);
    }
}
