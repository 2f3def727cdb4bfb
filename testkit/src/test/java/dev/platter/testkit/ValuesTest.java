package dev.platter.testkit;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.platter.core.BlockDevice;
import dev.platter.core.BlockDevices;
import dev.platter.core.Bounds;
import dev.platter.core.DiskUuid;
import dev.platter.core.Features;
import dev.platter.core.Limits;
import dev.platter.core.OpenOptions;
import dev.platter.core.ReferencePolicy;
import dev.platter.core.Warning;
import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.HexFormat;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Limits, options, features, bounds and UUIDs. */
class ValuesTest {

    @Test
    void uuidIsReadInItsOrderAndGuidMixed() {
        // the type GUID of an EFI system partition, as GPT stores it; UEFI specification, table "Defined GPT Partition
        // Entry - Partition Type GUIDs"
        ByteBuffer stored = ByteBuffer.wrap(HexFormat.of().parseHex("ff28732ac11ff8d211ba4b00a0c93ec93b"));

        assertThat(DiskUuid.guid(stored, 1)).isEqualTo("C12A7328-F81F-11D2-BA4B-00A0C93EC93B");
        assertThat(DiskUuid.text(stored, 1)).isEqualTo("28732ac1-1ff8-d211-ba4b-00a0c93ec93b");
        assertThat(stored.position()).isZero();
    }

    @Test
    void uuidOfZerosIsNil() {
        ByteBuffer bytes = ByteBuffer.allocate(18);

        assertThat(DiskUuid.isNil(bytes, 1)).isTrue();
        bytes.put(0, (byte) 1).put(17, (byte) 1);
        assertThat(DiskUuid.isNil(bytes, 1)).isTrue();
        for (int i = 1; i <= 16; i++) {
            assertThat(DiskUuid.isNil(ByteBuffer.allocate(18).put(i, (byte) 1), 1))
                    .isFalse();
        }
    }

    @ParameterizedTest
    @ValueSource(ints = {0, -1, Integer.MIN_VALUE})
    void limitsBelowOneAreRefused(int value) {
        Limits limits = Limits.defaults();

        assertThatThrownBy(() -> limits.withChainDepth(value))
                .isInstanceOf(IllegalArgumentException.class)
                .hasMessage("chainDepth: " + value + " is less than 1");
        assertThatThrownBy(() -> limits.withTableBytes(value)).hasMessageContaining("tableBytes");
        assertThatThrownBy(() -> limits.withMetadataBytes(value)).hasMessageContaining("metadataBytes");
        assertThatThrownBy(() -> limits.withNameBytes(value)).hasMessageContaining("nameBytes");
        assertThatThrownBy(() -> limits.withPartitions(value)).hasMessageContaining("partitions");
        assertThatThrownBy(() -> limits.withNesting(value)).hasMessageContaining("nesting");
        assertThatThrownBy(() -> limits.withVolumes(value)).hasMessageContaining("volumes");
        assertThatThrownBy(() -> limits.withWalkFactor(value)).hasMessageContaining("walkFactor");
    }

    @Test
    void eachLimitCanBeSetAloneAndTheOthersStay() {
        Limits all = Limits.defaults()
                .withChainDepth(1)
                .withTableBytes(2)
                .withMetadataBytes(3)
                .withNameBytes(4)
                .withPartitions(5)
                .withNesting(6)
                .withVolumes(7)
                .withWalkFactor(8);

        assertThat(all).isEqualTo(new Limits(1, 2, 3, 4, 5, 6, 7, 8));
    }

    @Test
    void optionsReadProbeAndOpenNothingElseByDefault() {
        OpenOptions defaults = OpenOptions.defaults();

        assertThat(defaults.format()).isNull();
        assertThat(defaults.writable()).isFalse();
        assertThat(defaults.probeBackingFormat()).isFalse();
        assertThat(defaults.truncatedFile()).isEqualTo(OpenOptions.TruncatedFile.REFUSE);
        assertThat(defaults.limits()).isEqualTo(Limits.defaults());
        assertThat(defaults.sectorSize()).isZero();
    }

    @Test
    void builderOfOptionsKeepsAllOfThem() {
        List<Warning> warnings = new ArrayList<>();
        ReferencePolicy policy = ReferencePolicy.all();
        OpenOptions options = OpenOptions.builder()
                .format("qcow2")
                .writable(true)
                .references(policy)
                .probeBackingFormat(true)
                .limits(Limits.defaults().withNesting(3))
                .cacheBytes(2 << 20)
                .sectorSize(4096)
                .truncatedFile(OpenOptions.TruncatedFile.ZEROS)
                .onWarning(warnings::add)
                .build()
                .toBuilder()
                .build();

        assertThat(options.format()).isEqualTo("qcow2");
        assertThat(options.writable()).isTrue();
        assertThat(options.references()).isSameAs(policy);
        assertThat(options.probeBackingFormat()).isTrue();
        assertThat(options.limits().nesting()).isEqualTo(3);
        assertThat(options.cacheBytes()).isEqualTo(2 << 20);
        assertThat(options.sectorSize()).isEqualTo(4096);
        assertThat(options.truncatedFile()).isEqualTo(OpenOptions.TruncatedFile.ZEROS);
        options.onWarning().accept(new Warning(1, "odd"));
        assertThat(warnings).hasSize(1);
    }

    @Test
    void optionsOutOfRangeAreRefusedWithTheirValue() {
        assertThatThrownBy(() -> OpenOptions.builder().cacheBytes((1 << 20) - 1))
                .isInstanceOf(IllegalArgumentException.class)
                .hasMessageContaining("1048575");
        for (int size : new int[] {-512, 1, 511, 513, 1024, 8192}) {
            assertThatThrownBy(() -> OpenOptions.builder().sectorSize(size))
                    .isInstanceOf(IllegalArgumentException.class)
                    .hasMessageContaining(Integer.toString(size));
        }
    }

    @Test
    void featuresOfTwoAreWhatBothCan() {
        Features one = new Features(false, true, true, true, true, 512, 1, 4096, 1 << 20, false, false);
        Features other = new Features(false, false, true, true, true, 4096, 512, 65536, 1 << 25, true, true);

        assertThat(one.and(other))
                .isEqualTo(new Features(false, false, true, true, true, 0, 512, 65536, 1 << 20, true, true))
                .isEqualTo(other.and(one));
        assertThat(one.and(one)).isEqualTo(one);
        assertThat(one.asReadOnly())
                .isEqualTo(new Features(true, false, false, false, true, 512, 1, 4096, 1 << 20, false, false));
        assertThat(one.and(one.asReadOnly()).readOnly()).isTrue();
    }

    @Test
    void boundsHoldAtBothEndsOfTheNumbers() {
        BlockDevice largest = new ZeroDevice(Long.MAX_VALUE);

        Bounds.check(largest, Long.MAX_VALUE, 0);
        Bounds.check(largest, 0, Long.MAX_VALUE);
        assertThat(Bounds.inside(0, 0, 0)).isTrue();
        assertThat(Bounds.inside(1, 0, 0)).isFalse();
        assertThat(Bounds.inside(Long.MAX_VALUE, Long.MAX_VALUE, Long.MAX_VALUE))
                .isFalse();
        assertThat(Bounds.inside(-1, 1, 10)).isFalse();
        assertThat(Bounds.inside(1, -1, 10)).isFalse();
        assertThatThrownBy(() -> Bounds.check(largest, Long.MAX_VALUE, 1))
                .isInstanceOf(IndexOutOfBoundsException.class)
                .hasMessageContaining("zeros: 1 bytes at 9223372036854775807 leave the device");
        assertThatThrownBy(() -> Bounds.check(BlockDevices.ofBytes("b", ByteBuffer.allocate(1)), 0, 2))
                .isInstanceOf(IndexOutOfBoundsException.class);
    }
}
