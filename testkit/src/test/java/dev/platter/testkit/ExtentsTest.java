package dev.platter.testkit;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.platter.core.BlockDevice;
import dev.platter.core.BlockDevices;
import dev.platter.core.BlockIOException;
import dev.platter.core.Bounds;
import dev.platter.core.Extent;
import dev.platter.core.ExtentVisitor;
import dev.platter.core.Extents;
import dev.platter.core.ForwardingDevice;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.Iterator;
import java.util.List;
import java.util.NoSuchElementException;
import org.junit.jupiter.api.Test;

class ExtentsTest {
    private static final int A = Extent.ALLOCATED;
    private static final int Z = Extent.READS_AS_ZERO;

    /** A device that reports one extent for each of the facts, {@code unit} bytes each. */
    private static final class Facts extends ForwardingDevice {
        private final int unit;
        private final int[] facts;
        private final BlockDevice below;
        private final long[] belowUnits;

        Facts(int unit, int[] facts, BlockDevice below, long[] belowUnits) {
            super(BlockDevices.ofBytes("facts", ByteBuffer.allocate(unit * facts.length)));
            this.unit = unit;
            this.facts = facts;
            this.below = below;
            this.belowUnits = belowUnits;
        }

        static Facts of(int unit, int... facts) {
            return new Facts(unit, facts, BlockDevices.ofBytes("none", ByteBuffer.allocate(0)), new long[0]);
        }

        @Override
        public void extents(long offset, long length, ExtentVisitor visitor) throws IOException {
            Bounds.check(this, offset, length);
            long at = offset;
            while (at < offset + length) {
                int i = (int) (at / unit);
                long end = Math.min(offset + length, (i + 1L) * unit);
                boolean placed = i < belowUnits.length && belowUnits[i] >= 0;
                long belowOffset = placed ? belowUnits[i] * unit + at % unit : -1;
                if (!visitor.extent(at, end - at, facts[i], 0, placed ? below : null, belowOffset)) {
                    return;
                }
                at = end;
            }
        }
    }

    private static List<String> merged(BlockDevice device, long offset, long length) throws IOException {
        List<String> found = new ArrayList<>();
        Extents.forEach(device, offset, length, extent -> found.add(text(extent)));
        return found;
    }

    private static String text(Extent extent) {
        return extent.offset() + "+" + extent.length() + ":" + extent.facts();
    }

    @Test
    void neighboursOfEqualFactsAreMerged() throws IOException {
        Facts device = Facts.of(10, A, A, Z, Z, Z, A);

        assertThat(merged(device, 0, 60)).containsExactly("0+20:1", "20+30:2", "50+10:1");
        assertThat(merged(device, 15, 20)).containsExactly("15+5:1", "20+15:2");
        assertThat(merged(device, 60, 0)).isEmpty();
        assertThatThrownBy(() -> merged(device, 61, 0)).isInstanceOf(IndexOutOfBoundsException.class);
    }

    @Test
    void neighboursAreMergedOnlyWhereTheirPlacesAdjoin() throws IOException {
        BlockDevice below = BlockDevices.ofBytes("below", ByteBuffer.allocate(100));
        Facts device = new Facts(10, new int[] {A, A, A, A}, below, new long[] {5, 6, 2, -1});

        assertThat(merged(device, 0, 40)).containsExactly("0+20:1", "20+10:1", "30+10:1");
    }

    @Test
    void consumerThatHasEnoughIsNotAskedAgain() throws IOException {
        Facts device = Facts.of(1, A, Z, A, Z);
        for (int most = 1; most <= 4; most++) {
            int wanted = most;
            List<Extent> seen = new ArrayList<>();

            Extents.forEach(device, 0, 4, extent -> {
                seen.add(extent);
                return seen.size() < wanted;
            });

            assertThat(seen).hasSize(most);
        }
    }

    @Test
    void extentAtAnOffsetBeginsThere() throws IOException {
        Facts device = Facts.of(10, A, Z, Z, A);

        assertThat(text(Extents.at(device, 0))).isEqualTo("0+10:1");
        assertThat(text(Extents.at(device, 13))).isEqualTo("13+17:2");
        assertThat(text(Extents.at(device, 39))).isEqualTo("39+1:1");
        assertThatThrownBy(() -> Extents.at(device, 40)).isInstanceOf(IndexOutOfBoundsException.class);
        assertThatThrownBy(() -> Extents.at(device, -1)).isInstanceOf(IndexOutOfBoundsException.class);
    }

    @Test
    void iterationOfManyExtentsGivesWhatForEachGives() throws IOException {
        int[] facts = new int[5000];
        for (int i = 0; i < facts.length; i++) {
            facts[i] = i / 3 % 2 == 0 ? A : Z;
        }
        Facts device = Facts.of(2, facts);
        List<String> iterated = new ArrayList<>();

        for (Extent extent : Extents.iterate(device)) {
            iterated.add(text(extent));
        }

        assertThat(iterated).isEqualTo(merged(device, 0, device.size()));
    }

    @Test
    void iterationOfAnEmptyDeviceHasNothing() {
        Iterator<Extent> none = Extents.iterate(Facts.of(1)).iterator();

        assertThat(none.hasNext()).isFalse();
        assertThatThrownBy(none::next).isInstanceOf(NoSuchElementException.class);
    }

    @Test
    void iterationEndsWithTheErrorOfTheDevice() {
        BlockDevice broken = new ForwardingDevice(BlockDevices.ofBytes("broken", ByteBuffer.allocate(10))) {
            @Override
            public void extents(long offset, long length, ExtentVisitor visitor) throws IOException {
                throw new BlockIOException(BlockIOException.Kind.IO, "broken: no extents", null);
            }
        };

        assertThatThrownBy(() -> Extents.iterate(broken).iterator().next())
                .isInstanceOf(UncheckedIOException.class)
                .hasMessageContaining("broken: no extents");
    }

    @Test
    void resolvingFollowsThreeLayersDownToTheBytes() throws IOException {
        BlockDevice disk = BlockDevices.ofBytes("disk", ByteBuffer.wrap(TestBytes.of(0, 1000)));
        BlockDevice partition = BlockDevices.slice(disk, "partition 1", 100, 800);
        Facts volume = new Facts(10, new int[] {A, A, Z, A}, partition, new long[] {3, 20, -1, 4});
        BlockDevice top = BlockDevices.slice(volume, "top", 5, 30);
        List<String> parts = new ArrayList<>();

        for (Extent extent : Extents.iterate(top)) {
            Extents.resolve(extent, part -> {
                BlockDevice bottom = part.below();
                String place = bottom == null ? "nowhere" : bottom.description() + "@" + part.belowOffset();
                return parts.add(text(part) + " " + place);
            });
        }

        assertThat(parts).containsExactly("0+5:1 disk@135", "5+10:1 disk@300", "15+10:2 facts@20", "25+5:1 disk@140");
    }

    @Test
    void resolvingStopsWhenTheConsumerSaysSo() throws IOException {
        Facts bottom = Facts.of(1, A, Z, A, Z);
        BlockDevice top = BlockDevices.slice(bottom, "top", 0, 4);
        List<Extent> seen = new ArrayList<>();
        Extent all = new Extent(0, 4, A, 0, top, 0);

        Extents.resolve(all, part -> {
            seen.add(part);
            return seen.size() < 2;
        });

        assertThat(seen).hasSize(2);
    }

    @Test
    void compressedAndUnreadablePartsHaveNoPlace() throws IOException {
        Facts image = Facts.of(10, A | Extent.COMPRESSED, Extent.UNREADABLE, A | Extent.ENCRYPTED);
        BlockDevice top = BlockDevices.slice(image, "top", 0, 30);
        List<String> parts = new ArrayList<>();

        Extents.resolve(Extents.at(top, 0), part -> parts.add(text(part) + " " + (part.below() == null)));
        Extents.resolve(Extents.at(top, 20), part -> parts.add(text(part) + " " + (part.below() == null)));

        assertThat(parts).containsExactly("0+10:5 true", "20+10:9 true");
        assertThat(Extents.at(top, 10).unreadable()).isTrue();
        assertThat(Extents.at(top, 0).compressed()).isTrue();
        assertThat(Extents.at(top, 0).allocated()).isTrue();
        assertThat(Extents.at(top, 0).end()).isEqualTo(10);
    }
}
