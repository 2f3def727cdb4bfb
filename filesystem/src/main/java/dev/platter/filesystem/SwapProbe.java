package dev.platter.filesystem;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.util.List;
import java.util.Locale;
import org.jspecify.annotations.Nullable;

/** Linux swap space of every page size, and hibernation images that stand in one. */
final class SwapProbe implements Probe {
    private static final String TUX_ON_ICE = "\u00ed\u00c3\u0002\u00e9\u0098V\u00e5\u000c";
    private static final List<String> SUSPENDED = List.of("S1SUSPEND", "S2SUSPEND", "ULSUSPEND", "LINHIB0001");
    private static final int SMALLEST_PAGE = 4096;
    private static final int LARGEST_PAGE = 65536;
    /** The magic are the last ten bytes of the first page. */
    private static final int MAGIC_BYTES = 10;

    @Override
    public long minimumSize() {
        return 10L * SMALLEST_PAGE;
    }

    @Override
    public @Nullable FileSystem probe(Volume volume) throws IOException {
        ByteBuffer start = volume.bytes(0, TUX_ON_ICE.length());
        if (start != null && Fields.has(start, 0, TUX_ON_ICE)) {
            return describe(volume, "swsuspend", "tuxonice", 0, SMALLEST_PAGE);
        }
        for (int page = SMALLEST_PAGE; page <= LARGEST_PAGE; page *= 2) {
            ByteBuffer magic = volume.bytes(page - MAGIC_BYTES, MAGIC_BYTES);
            String version = magic == null ? null : version(magic);
            if (version != null) {
                boolean suspended = version.length() > 1;
                return describe(volume, suspended ? "swsuspend" : "swap", version, page - MAGIC_BYTES, page);
            }
        }
        return null;
    }

    private static @Nullable String version(ByteBuffer magic) {
        if (Fields.has(magic, 0, "SWAPSPACE2")) {
            return "1";
        }
        if (Fields.has(magic, 0, "SWAP-SPACE")) {
            return "0";
        }
        for (String text : SUSPENDED) {
            if (Fields.has(magic, 0, text)) {
                return text.toLowerCase(Locale.ROOT);
            }
        }
        return null;
    }

    private static @Nullable FileSystem describe(Volume volume, String type, String version, int offset, int page)
            throws IOException {
        Findings findings = new Findings(volume, type, offset).version(version).blockSize(page);
        if (version.equals("0")) {
            return findings.build();
        }
        ByteBuffer bytes = volume.bytes(SwapHeader.OFFSET, SwapHeader.SIZE);
        if (bytes == null) {
            return null;
        }
        SwapHeader header = SwapHeader.parse(bytes);
        String flaw = type.equals("swap") ? header.flaw() : null;
        if (flaw != null) {
            return volume.reject(SwapHeader.OFFSET, type + ": header at 1024: " + flaw);
        }
        findings.label(header.label()).uuid(header.uuid());
        if (type.equals("swap") && header.lastPage() > volume.size() / page - 1) {
            findings.warn(
                    SwapHeader.OFFSET,
                    "last page is " + header.lastPage() + ", the volume has " + volume.size() / page + " pages of "
                            + page);
        }
        return findings.build();
    }
}
