package dev.platter.linux;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.platter.linux.DeviceTable.Target;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.List;
import org.junit.jupiter.api.Test;

/** Requests to device-mapper, field by field. */
class DmRequestTest {
    private static ByteBuffer bytes(DmRequest request) {
        return ByteBuffer.wrap(request.bytes()).order(ByteOrder.nativeOrder());
    }

    private static String text(ByteBuffer bytes, int at, int length) {
        byte[] text = new byte[length];
        bytes.get(at, text);
        return new String(text, java.nio.charset.StandardCharsets.US_ASCII);
    }

    @Test
    void aRequestForADeviceIsAHeaderOfItsNameAndUuid() {
        ByteBuffer request =
                bytes(DmRequest.of("platter-a-p1", 0).uuid("PLATTER-1").flags(DmRequest.READONLY));

        assertThat(request.capacity()).isEqualTo(312);
        assertThat(request.getInt(0)).isEqualTo(4);
        assertThat(request.getInt(12)).isEqualTo(312);
        assertThat(request.getInt(16)).isEqualTo(312);
        assertThat(request.getInt(28)).isEqualTo(1);
        assertThat(text(request, 48, 13)).isEqualTo("platter-a-p1\0");
        assertThat(text(request, 176, 10)).isEqualTo("PLATTER-1\0");
    }

    @Test
    void targetsFollowTheHeaderEachAlignedToEightBytes() {
        DeviceTable table = new DeviceTable(List.of(Target.linear(0, 8, "7:0", 2048), Target.zero(8, 16)));

        ByteBuffer request = bytes(DmRequest.of("n", table));

        // "7:0 2048" and its NUL are 9 bytes: 16 with their padding
        assertThat(request.getInt(20)).isEqualTo(2);
        assertThat(request.capacity()).isEqualTo(312 + 40 + 16 + 40 + 8);
        assertThat(request.getLong(312)).isZero();
        assertThat(request.getLong(320)).isEqualTo(8);
        assertThat(request.getInt(332)).isEqualTo(56);
        assertThat(text(request, 336, 7)).isEqualTo("linear\0");
        assertThat(text(request, 352, 9)).isEqualTo("7:0 2048\0");
        assertThat(request.getLong(368)).isEqualTo(8);
        assertThat(text(request, 368 + 24, 5)).isEqualTo("zero\0");
    }

    @Test
    void aTableThatTheKernelTellsIsTakenApart() {
        DmRequest answer = DmRequest.of("n", 200);
        ByteBuffer bytes = bytes(answer);
        bytes.putInt(20, 2);
        bytes.putLong(320, 8).putInt(332, 56);
        bytes.put(336, "linear".getBytes(java.nio.charset.StandardCharsets.US_ASCII));
        bytes.put(352, "7:0 2048".getBytes(java.nio.charset.StandardCharsets.US_ASCII));
        bytes.putLong(368, 8).putLong(376, 16).putInt(388, 104);
        bytes.put(392, "error".getBytes(java.nio.charset.StandardCharsets.US_ASCII));

        assertThat(answer.targets()).containsExactly(Target.linear(0, 8, "7:0", 2048), Target.error(8, 16));
    }

    @Test
    void aListEndsWhereItsDistanceIsZero() {
        DmRequest answer = DmRequest.of("", 100);
        ByteBuffer bytes = bytes(answer);
        bytes.putInt(312 + 8, 24).put(312 + 12, new byte[] {'a', 'b'});
        bytes.putInt(336 + 8, 0).put(336 + 12, new byte[] {'c'});

        assertThat(answer.list(8, 12)).containsExactly("ab", "c");
    }

    @Test
    void anEmptyListIsOneOfAnEmptyName() {
        assertThat(DmRequest.of("", 100).list(8, 12)).isEmpty();
    }

    @Test
    void theMinorNumberOfADeviceMayHaveMoreThanEightBits() {
        DmRequest answer = DmRequest.of("n", 0);
        bytes(answer).putLong(40, 0x34 | (254L << 8) | (0x12L << 20));

        assertThat(answer.minor()).isEqualTo(0x1234);
    }

    @Test
    void aNameThatDoesNotFitIsRefused() {
        assertThatThrownBy(() -> DmRequest.of("n".repeat(128), 0)).isInstanceOf(IllegalArgumentException.class);
    }
}
