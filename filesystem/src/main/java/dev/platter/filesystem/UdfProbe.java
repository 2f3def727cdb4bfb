package dev.platter.filesystem;

import static dev.platter.filesystem.Fields.u16;
import static dev.platter.filesystem.Fields.u32;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * UDF, also as a bridge beside ISO 9660. ECMA-167, part 2, section 8 (volume recognition sequence) and part 3, section 8
 * (anchor, descriptor sequence); libblkid, udf.c.
 */
final class UdfProbe implements Probe {
    private static final int FIRST = 32 << 10;
    private static final int MAX_STRUCTURES = 64;
    private static final int ANCHOR_BLOCK = 256;
    /** A sequence has 16 blocks; libblkid follows what the anchor says. */
    private static final int MAX_DESCRIPTORS = 64;

    private static final int[] BLOCK_SIZES = {512, 1024, 2048, 4096};
    private static final List<String> STRUCTURES =
            List.of("BEA01", "BOOT2", "CD001", "CDW02", "NSR02", "NSR03", "TEA01");

    @Override
    public Family family() {
        return Family.TOLERANT;
    }

    @Override
    public @Nullable FileSystem probe(Volume volume) throws IOException {
        boolean small = hasStructures(volume, 2048);
        boolean large = !small && hasStructures(volume, 4096);
        for (int blockSize : BLOCK_SIZES) {
            boolean fits = blockSize == 4096 ? small || large : small;
            UdfDescriptor anchor = fits ? descriptor(volume, ANCHOR_BLOCK, blockSize) : null;
            if (anchor != null && anchor.type() == UdfDescriptor.ANCHOR) {
                return describe(volume, anchor, blockSize);
            }
        }
        return null;
    }

    /** Whether the volume structure descriptors name UDF (NSR02 or NSR03) before they end. */
    private static boolean hasStructures(Volume volume, int length) throws IOException {
        for (int i = 0; i < MAX_STRUCTURES; i++) {
            ByteBuffer structure = volume.bytes(FIRST + (long) i * length, 8);
            if (structure == null) {
                return false;
            }
            if (Fields.has(structure, 1, "NSR02") || Fields.has(structure, 1, "NSR03")) {
                return true;
            }
            if (STRUCTURES.stream().noneMatch(name -> Fields.has(structure, 1, name))) {
                return false;
            }
        }
        return false;
    }

    private static @Nullable UdfDescriptor descriptor(Volume volume, long block, int blockSize) throws IOException {
        ByteBuffer bytes = volume.bytes(block * blockSize, UdfDescriptor.SIZE);
        UdfDescriptor descriptor = bytes == null ? null : new UdfDescriptor(bytes);
        return descriptor == null || descriptor.location() != block || !descriptor.isTagValid() ? null : descriptor;
    }

    private static FileSystem describe(Volume volume, UdfDescriptor anchor, int blockSize) throws IOException {
        Findings findings = new Findings(volume, "udf", FIRST + 1).blockSize(blockSize);
        long count = Math.min(MAX_DESCRIPTORS, u32(anchor.bytes(), 16) / blockSize);
        long start = u32(anchor.bytes(), 20);
        boolean primarySeen = false;
        boolean logicalSeen = false;
        for (long block = start; block < start + count && !(primarySeen && logicalSeen); block++) {
            UdfDescriptor one = descriptor(volume, block, blockSize);
            if (one == null || one.type() == 0 || one.type() == UdfDescriptor.TERMINATING) {
                break;
            }
            if (one.type() == UdfDescriptor.PRIMARY && !primarySeen) {
                primarySeen = true;
                findings.uuid(UdfDescriptor.uuid(one.dstring(72, 128)));
            } else if (one.type() == UdfDescriptor.LOGICAL && !logicalSeen) {
                logicalSeen = true;
                addLogicalVolume(volume, one, blockSize, findings);
            }
        }
        return findings.build();
    }

    private static void addLogicalVolume(Volume volume, UdfDescriptor one, int blockSize, Findings findings)
            throws IOException {
        ByteBuffer bytes = one.bytes();
        findings.label(one.dstring(84, 128));
        if (Fields.has(bytes, 217, "*OSTA UDF Compliant")) {
            findings.version(version(u16(bytes, 240)));
        }
        boolean hasIntegrity = u32(bytes, 268) != 0 && u32(bytes, 432) >= UdfDescriptor.SIZE;
        UdfDescriptor integrity = hasIntegrity ? descriptor(volume, u32(bytes, 436), blockSize) : null;
        if (integrity != null && integrity.type() == UdfDescriptor.INTEGRITY) {
            addIntegrity(integrity.bytes(), u32(bytes, 212), findings);
        }
    }

    /** ECMA-167 3/10.10: open or closed, then free space and size of each partition in blocks, then the revisions. */
    private static void addIntegrity(ByteBuffer bytes, long logicalBlock, Findings findings) {
        findings.state(u32(bytes, 28) == 1);
        long partitions = u32(bytes, 72);
        long use = 80 + 8 * partitions;
        if (u32(bytes, 76) >= 46 && use <= bytes.limit() - 46 && u16(bytes, (int) use + 40) != 0) {
            findings.version(version(u16(bytes, (int) use + 40)));
        }
        if (partitions == 1 && logicalBlock > 0) {
            findings.size(u32(bytes, 84), logicalBlock);
            if (u32(bytes, 80) != 0xffff_ffffL) {
                findings.free(u32(bytes, 80), logicalBlock);
            }
        }
    }

    private static String version(int revision) {
        return String.format("%x.%02x", revision >> 8, revision & 0xff);
    }
}
