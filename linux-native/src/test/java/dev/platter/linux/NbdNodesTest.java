package dev.platter.linux;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.platter.core.BlockIOException;
import java.io.IOException;
import java.nio.file.Path;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class NbdNodesTest {
    @Test
    void aDeviceHasTheNumberInItsName() throws IOException {
        assertThat(NbdNodes.index(Path.of("/dev/nbd77"))).isEqualTo(77);
    }

    @ParameterizedTest
    @ValueSource(strings = {"/dev/nbd7p1", "/dev/null", "/tmp/nbd7", "nbd7", "/dev/nbd", "/dev/nbd99999999"})
    void whatIsNoWholeDeviceIsRefused(String path) {
        assertThatThrownBy(() -> NbdNodes.index(Path.of(path)))
                .isInstanceOf(BlockIOException.class)
                .hasMessageContaining("is no nbd device");
    }
}
