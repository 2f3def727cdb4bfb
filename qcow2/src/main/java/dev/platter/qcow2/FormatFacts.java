package dev.platter.qcow2;

import com.google.common.collect.ImmutableMap;
import dev.platter.core.BitmapInfo;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/** What {@code info} says of an image that only qcow2 has. Names and values as in qemu's ImageInfoSpecificQCow2. */
final class FormatFacts {

    private FormatFacts() {}

    static Map<String, Object> of(Qcow2Header header, List<BitmapInfo> bitmaps) {
        Map<String, Object> facts = new LinkedHashMap<>();
        facts.put("compat", header.version() == 2 ? "0.10" : "1.1");
        facts.put("compression-type", header.compressionName());
        if (header.version() >= 3) {
            facts.put("lazy-refcounts", (header.compatibleFeatures() & Qcow2Header.COMPAT_LAZY_REFCOUNTS) != 0);
        }
        facts.put("refcount-bits", 1L << header.refcountOrder());
        if (header.version() >= 3) {
            facts.put("corrupt", header.isCorrupt());
            facts.put("extended-l2", header.isExtendedL2());
        }
        String dataFileName = header.extensions().dataFile();
        if (header.hasDataFile() && dataFileName != null) {
            facts.put("data-file", dataFileName);
            facts.put("data-file-raw", (header.autoclearFeatures() & Qcow2Header.AUTOCLEAR_DATA_FILE_RAW) != 0);
        }
        if (!bitmaps.isEmpty()) {
            facts.put("bitmaps", bitmaps.stream().map(FormatFacts::of).toList());
        }
        if (header.cryptMethod() != Qcow2Header.CRYPT_NONE) {
            facts.put("encrypt", ImmutableMap.of("format", Encryption.name(header)));
        }
        return facts;
    }

    private static Map<String, Object> of(BitmapInfo bitmap) {
        List<String> flags = new ArrayList<>();
        if (bitmap.inUse()) {
            flags.add("in-use");
        }
        if (bitmap.auto()) {
            flags.add("auto");
        }
        return ImmutableMap.of(
                "flags", flags,
                "name", bitmap.name(),
                "granularity", bitmap.granularity());
    }
}
