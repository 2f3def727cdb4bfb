package dev.platter.nbd.client;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.platter.nbd.protocol.MetaContext;
import dev.platter.nbd.protocol.ReplyHeader.Form;
import dev.platter.nbd.tls.PeerIdentity;
import java.time.Duration;
import java.util.Collections;
import java.util.List;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class NbdClientOptionsTest {

    @Test
    void defaultsReadOverOneConnectionAndNeverConnectAgain() {
        NbdClientOptions defaults = NbdClientOptions.defaults();

        assertThat(defaults.writable()).isFalse();
        assertThat(defaults.connections()).isEqualTo(1);
        assertThat(defaults.requestsInFlight()).isEqualTo(64);
        assertThat(defaults.connectTimeout()).isEqualTo(Duration.ofSeconds(10));
        assertThat(defaults.handshakeTimeout()).isEqualTo(Duration.ofSeconds(10));
        assertThat(defaults.requestTimeout()).isEqualTo(Duration.ofSeconds(60));
        assertThat(defaults.reconnect()).isZero();
        assertThat(defaults.contexts()).isNull();
        assertThat(defaults.oldstyle()).isFalse();
        assertThat(defaults.structuredReplies()).isTrue();
        assertThat(defaults.extendedHeaders()).isFalse();
        assertThat(defaults.tls()).isNull();
    }

    @ParameterizedTest
    @ValueSource(ints = {-1, 0, 17, 65})
    void numbersOutOfTheirRangesAreRefused(int number) {
        NbdClientOptions.Builder builder = NbdClientOptions.builder();

        assertThatThrownBy(() -> builder.connections(number))
                .isInstanceOf(IllegalArgumentException.class)
                .hasMessage("most: " + number + " is not from 1 to 16");
        if (number != 17) {
            assertThatThrownBy(() -> builder.requestsInFlight(number))
                    .isInstanceOf(IllegalArgumentException.class)
                    .hasMessage("most: " + number + " is not from 1 to 64");
        }
    }

    @Test
    void negativeTimesAreRefused() {
        NbdClientOptions.Builder builder = NbdClientOptions.builder();
        Duration negative = Duration.ofNanos(-1);

        assertThatThrownBy(() -> builder.connectTimeout(negative)).isInstanceOf(IllegalArgumentException.class);
        assertThatThrownBy(() -> builder.handshakeTimeout(negative)).isInstanceOf(IllegalArgumentException.class);
        assertThatThrownBy(() -> builder.requestTimeout(negative)).isInstanceOf(IllegalArgumentException.class);
        assertThatThrownBy(() -> builder.reconnect(negative)).isInstanceOf(IllegalArgumentException.class);
    }

    @Test
    void contextsAreAtMost64() {
        NbdClientOptions.Builder builder = NbdClientOptions.builder();

        builder.contexts(Collections.nCopies(64, "a:b"));
        assertThatThrownBy(() -> builder.contexts(Collections.nCopies(65, "a:b")))
                .isInstanceOf(IllegalArgumentException.class)
                .hasMessageContaining("65 contexts are more than 64");
    }

    @Test
    void negotiatedContextsAreUniqueAndAtMost64() {
        NbdProtocol protocol =
                new NbdProtocol(NbdProtocol.Style.FIXED_NEWSTYLE, false, PeerIdentity.ANONYMOUS, Form.STRUCTURED);
        ExportDetails details = new ExportDetails("", "", 0, 1, null, List.of());
        List<MetaContext> many = IntStream.range(0, 65)
                .mapToObj(i -> new MetaContext(i, "a:" + i))
                .toList();

        new Negotiated(protocol, details, many.subList(0, 64));
        assertThatThrownBy(() -> new Negotiated(protocol, details, many)).isInstanceOf(IllegalArgumentException.class);
        assertThatThrownBy(() -> new Negotiated(
                        protocol, details, List.of(new MetaContext(1, "a:b"), new MetaContext(1, "a:c"))))
                .isInstanceOf(IllegalArgumentException.class);
        assertThatThrownBy(() -> new Negotiated(
                        protocol, details, List.of(new MetaContext(1, "a:b"), new MetaContext(2, "a:b"))))
                .isInstanceOf(IllegalArgumentException.class);
    }
}
