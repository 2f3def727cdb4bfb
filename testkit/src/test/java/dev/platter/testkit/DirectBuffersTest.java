package dev.platter.testkit;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.platter.core.DirectBuffers;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

final class DirectBuffersTest {

    @ParameterizedTest
    @ValueSource(ints = {0, 1, 512, 4095, 4096, 65536, 1 << 20})
    void bufferHasItsSizeAndBeginsAtAPage(int bytes) {
        ByteBuffer buffer = DirectBuffers.allocate(bytes);

        assertThat(buffer.isDirect()).isTrue();
        assertThat(buffer.capacity()).isEqualTo(bytes);
        assertThat(buffer.remaining()).isEqualTo(bytes);
        assertThat(buffer.order()).isEqualTo(ByteOrder.BIG_ENDIAN);
        assertThat(buffer.alignmentOffset(0, 4096)).isZero();
    }

    @Test
    void impossibleSizeIsRefused() {
        assertThatThrownBy(() -> DirectBuffers.allocate(-1)).isInstanceOf(IllegalArgumentException.class);
        assertThatThrownBy(() -> DirectBuffers.allocate(Integer.MAX_VALUE)).hasMessageContaining("2147483647");
    }
}
