package dev.platter.qcow2;

import static org.assertj.core.api.Assertions.assertThat;

import dev.platter.core.OpenOptions;
import dev.platter.core.Storage;
import java.io.IOException;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class ClusterMapperTest {

    /** The L1 table of this disk has 513 pages. */
    private static ClusterMapper mapper(int cacheBytes) throws IOException {
        Storage storage = Qcow2Builder.storage(new Qcow2Builder(3, 9, 8L << 30).build());
        Qcow2Header header = Qcow2Header.read(storage);
        HostFile file = new HostFile(storage, header.clusterSize(), OpenOptions.defaults());
        return new ClusterMapper(
                header,
                file,
                file,
                header.l1TableOffset(),
                header.l1EntriesFor(header.size()),
                cacheBytes,
                Long.MAX_VALUE,
                warning -> {});
    }

    @ParameterizedTest
    @ValueSource(ints = {256 << 10, 1 << 20, 12 << 20, 256 << 20})
    void cachesHoldNoMoreThanAnEighthAboveWhatIsAllowed(int bytes) throws IOException {
        assertThat(mapper(bytes).cacheBytes()).isLessThanOrEqualTo(bytes + bytes / 8);
    }

    /** Sixty-four of them walk at once where a map goes down a chain. */
    @ParameterizedTest
    @ValueSource(ints = {1 << 20, 12 << 20})
    void walkHoldsLittleHoweverLargeTheTable(int bytes) throws IOException {
        assertThat(mapper(bytes).forRange(Long.MAX_VALUE, Long.MAX_VALUE).cacheBytes())
                .isLessThanOrEqualTo(72 << 10);
    }
}
