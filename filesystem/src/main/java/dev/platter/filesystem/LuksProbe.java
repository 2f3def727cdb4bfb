package dev.platter.filesystem;

import dev.platter.core.Printable;
import java.io.IOException;
import java.nio.ByteBuffer;
import org.jspecify.annotations.Nullable;

/**
 * LUKS of version 1 and 2. When the first header of version 2 is gone or damaged, the second one speaks for it, as far as
 * it lies in the head of the volume: a second header deeper inside is as likely a leftover.
 */
final class LuksProbe implements Probe {
    private static final int[] SECOND_HEADERS = {0x4000, 0x8000, 0x10000};

    @Override
    public Family family() {
        return Family.CRYPTO;
    }

    @Override
    public @Nullable FileSystem probe(Volume volume) throws IOException {
        FileSystem found = probe(volume, 0, LuksHeader.MAGIC);
        for (int i = 0; i < SECOND_HEADERS.length && found == null; i++) {
            found = probe(volume, SECOND_HEADERS[i], LuksHeader.SECOND_MAGIC);
        }
        return found;
    }

    private static @Nullable FileSystem probe(Volume volume, int offset, String magic) throws IOException {
        ByteBuffer bytes = volume.bytes(offset, LuksHeader.SIZE);
        if (bytes == null || !Fields.has(bytes, 0, magic)) {
            return null;
        }
        LuksHeader header = LuksHeader.parse(bytes);
        Findings findings = new Findings(volume, "crypto_LUKS", offset)
                .label(header.label())
                .uuid(header.uuid())
                .version(Integer.toString(header.version()));
        if (header.version() == 1) {
            if (header.payloadSector() > volume.size() / 512) {
                findings.warn(
                        104, "payload begins at sector " + header.payloadSector() + ", behind the end of the volume");
            }
            return findings.build();
        }
        if (header.version() != 2) {
            return volume.reject(
                    offset,
                    "crypto_LUKS: header at " + offset + ": version is " + header.version() + ", known are 1, 2");
        }
        String flaw = flaw(volume, header, offset, findings);
        return flaw == null
                ? findings.build()
                : volume.reject(offset, "crypto_LUKS: header at " + offset + ": " + flaw);
    }

    private static @Nullable String flaw(Volume volume, LuksHeader header, int offset, Findings findings)
            throws IOException {
        if (header.position() != offset) {
            return "says that it lies at " + Long.toUnsignedString(header.position());
        }
        long size = header.headerSize();
        if (size < 4096 || size > LuksHeader.LARGEST_HEADER) {
            return "size is " + Long.toUnsignedString(size) + ", allowed are 4096.." + LuksHeader.LARGEST_HEADER;
        }
        ByteBuffer all = volume.bytes(offset, (int) size);
        if (all == null) {
            return "its " + size + " bytes cannot be read";
        }
        int behind = LuksHeader.CHECKSUM_OFFSET + LuksHeader.CHECKSUM_SIZE;
        String name = header.checksumName() == null ? "" : header.checksumName();
        String computed = Checksums.digest(
                name,
                all.slice(0, LuksHeader.CHECKSUM_OFFSET),
                ByteBuffer.allocate(LuksHeader.CHECKSUM_SIZE),
                all.slice(behind, all.limit() - behind));
        if (computed == null) {
            findings.warn(offset, "checksum " + Printable.quote(name) + " is not verified");
            return null;
        }
        String stored = Checksums.hex(all.slice(LuksHeader.CHECKSUM_OFFSET, computed.length() / 2));
        return stored.equals(computed) ? null : name + " checksum is " + stored + ", computed is " + computed;
    }
}
