package dev.platter.partition;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.fail;

import dev.platter.core.BlockDevice;
import dev.platter.core.CorruptImageException;
import dev.platter.core.DiskImageException;
import dev.platter.core.Limits;
import dev.platter.core.Printable;
import dev.platter.testkit.Seed;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.util.Random;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/** Real tables with random bytes changed give a value or a {@link DiskImageException}, and never anything else. */
class MutationTest {
    private static final int ROUNDS = 10_000;
    private static final int SECTORS = 1200;
    private static final long[] EDGES = {
        0,
        1,
        2,
        127,
        128,
        129,
        511,
        512,
        0xffffL,
        0x7fff_ffffL,
        0x8000_0000L,
        0xffff_ffffL,
        1L << 54,
        1L << 55,
        Long.MAX_VALUE / 512,
        Long.MAX_VALUE,
        Long.MIN_VALUE,
        -1
    };

    /** Tables to begin with, and where to change them. */
    enum Table {
        CHAIN {
            @Override
            TestDisk make() {
                TestDisk disk = TestDisk.ofSectors(SECTORS)
                        .diskId(0x1234)
                        .entry(0, 0, 0x83, 10, 20)
                        .entry(0, 1, 0x05, 100, 1000);
                for (int i = 0; i < 20; i++) {
                    disk.entry(100 + 40 * i, 0, 0x83, 2, 30).entry(100 + 40 * i, 1, 0x05, 40L * (i + 1), 40);
                }
                return disk;
            }

            @Override
            int target(Random random) {
                int sector = random.nextInt(4) == 0 ? 0 : 100 + 40 * random.nextInt(21);
                return sector * 512 + 440 + random.nextInt(72);
            }
        },
        GPT {
            @Override
            TestDisk make() {
                TestDisk disk = TestDisk.ofSectors(SECTORS).gpt();
                for (int i = 0; i < 20; i++) {
                    disk.gptEntry(3 * i, 40 + 50L * i, 89 + 50L * i, i, "part " + i);
                }
                return disk;
            }

            @Override
            int target(Random random) {
                int copy = random.nextBoolean() ? 1 : SECTORS - 1;
                int entries = copy == 1 ? 2 : SECTORS - 1 - 32;
                return switch (random.nextInt(8)) {
                    case 0 -> 440 + random.nextInt(72);
                    case 1, 2, 3, 4 -> copy * 512 + random.nextInt(96);
                    default -> entries * 512 + random.nextInt(20 * 128);
                };
            }
        };

        abstract TestDisk make();

        abstract int target(Random random);
    }

    @ParameterizedTest
    @EnumSource
    void changedTableGivesAValueOrARefusal(Table kind) throws Exception {
        Seed.run("partition " + kind, random -> {
            TestDisk disk = kind.make();
            byte[] original = disk.bytes().array().clone();
            for (int round = 0; round < ROUNDS; round++) {
                mutate(kind, disk, random);
                tryRead(disk.device(), random.nextBoolean() ? 0 : 512 << (3 * random.nextInt(2)));
                disk.bytes().put(0, original);
            }
        });
    }

    private static void mutate(Table kind, TestDisk disk, Random random) {
        ByteBuffer bytes = disk.bytes();
        for (int changes = 1 + random.nextInt(4); changes > 0; changes--) {
            int at = Math.min(kind.target(random), bytes.capacity() - 8);
            switch (random.nextInt(4)) {
                case 0 -> bytes.put(at, (byte) random.nextInt());
                case 1 -> bytes.putInt(at & ~3, (int) EDGES[random.nextInt(EDGES.length)]);
                case 2 -> bytes.putLong(at & ~7, EDGES[random.nextInt(EDGES.length)]);
                default -> bytes.putInt(at & ~1, random.nextInt(SECTORS));
            }
        }
        if (kind == Table.GPT && random.nextInt(4) > 0) {
            disk.seal(1).seal(disk.lastSector());
        }
    }

    private static void tryRead(BlockDevice disk, int sectorSize) throws IOException {
        try {
            check(disk, PartitionTables.read(disk, sectorSize, Limits.defaults()));
        } catch (DiskImageException e) {
            assertThat(e).hasMessageContaining("disk");
        }
    }

    private static void check(BlockDevice disk, PartitionTable table) throws IOException {
        int last = 0;
        for (Partition partition : table.partitions()) {
            if (partition.number() <= last || partition.size() > Long.MAX_VALUE - partition.start()) {
                fail(partition.toString());
            }
            last = partition.number();
            try (BlockDevice opened = partition.open(disk)) {
                if (opened.size() > partition.size()) {
                    fail(partition.toString());
                }
            } catch (CorruptImageException e) {
                assertThat(table.warnings()).isNotEmpty();
            }
        }
        table.warnings().forEach(warning -> assertThat(warning.text()).isEqualTo(Printable.escape(warning.text())));
    }
}
