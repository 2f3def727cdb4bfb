package dev.platter.filesystem;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import org.junit.jupiter.api.Test;

class DiskUsageTest {

    @Test
    void percentIsThatOfVirtDfAndNotOfCoreutils() {
        DiskUsage usage = new DiskUsage(1000 * 1024, 250 * 1024, 50 * 1024, true);

        assertThat(usage.usedPercent()).isEqualTo(75.0);
        assertThat(usage.totalKiB()).isEqualTo(1000);
        assertThat(usage.usedKiB()).isEqualTo(750);
        assertThat(usage.availableKiB()).isEqualTo(50);
    }

    @Test
    void nothingOfNothingIsInUse() {
        assertThat(new DiskUsage(0, 0, 0, true).usedPercent()).isZero();
    }

    @Test
    void blocksOfHalfAKibibyteAreCountedInBytes() {
        assertThat(DiskUsage.ofBlocks(512, 7, 2, 1, true).totalKiB()).isEqualTo(3);
    }

    @Test
    void moreFreeThanThereIsIsRefused() {
        assertThatThrownBy(() -> new DiskUsage(1, 2, 2, true))
                .isInstanceOf(IllegalArgumentException.class)
                .hasMessageContaining("free 2");
    }
}
