package dev.platter.lvm;

import com.code_intelligence.jazzer.junit.FuzzTest;
import dev.platter.core.Limits;
import dev.platter.testkit.Promises;

/** Metadata text alone; the input is the text. */
class LvmTextFuzzTest {

    @FuzzTest
    void textIsReadOrRefused(byte[] text) {
        Limits limits = Limits.defaults();
        Promises.ofMetadata(text.length).check(() -> {
            MetadataSection section = MetadataParser.parse(text, "text", limits, new MetadataBudget(limits));
            GroupReader.read(section, "text", limits).warnings().forEach(Promises::requireShowable);
        });
    }
}
