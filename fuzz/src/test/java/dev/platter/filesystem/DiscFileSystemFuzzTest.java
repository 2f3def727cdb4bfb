package dev.platter.filesystem;

import com.code_intelligence.jazzer.junit.FuzzTest;

/** ISO 9660, UDF; for the form of the input see {@link ProbedVolume}. */
class DiscFileSystemFuzzTest {
    private final ProbedVolume volume = new ProbedVolume(Place.ISO, Place.UDF);

    @FuzzTest
    void contentsAreRecognisedOrNot(byte[] input) {
        volume.check(input);
    }
}
