package dev.platter.filesystem;

import com.code_intelligence.jazzer.junit.FuzzTest;

/** Members of arrays and pools, and encrypted volumes: md, LVM2, ZFS, VMFS, LUKS; for the form of the input see {@link ProbedVolume}. */
class MemberSignatureFuzzTest {
    private final ProbedVolume volume = new ProbedVolume(Place.MD, Place.LVM2, Place.ZFS, Place.VMFS, Place.LUKS);

    @FuzzTest
    void contentsAreRecognisedOrNot(byte[] input) {
        volume.check(input);
    }
}
