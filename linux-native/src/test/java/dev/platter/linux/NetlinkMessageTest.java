package dev.platter.linux;

import static org.assertj.core.api.Assertions.assertThat;

import dev.platter.linux.NetlinkAttributes.Attribute;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.HexFormat;
import java.util.List;
import org.junit.jupiter.api.Test;

/** Messages of netlink, byte by byte; the bytes are those of a little-endian machine, as all are that this runs on. */
class NetlinkMessageTest {
    private static final HexFormat HEX = HexFormat.of();

    private static ByteBuffer bytes(String hex) {
        return ByteBuffer.wrap(HEX.parseHex(hex.replace(" ", ""))).order(ByteOrder.nativeOrder());
    }

    @Test
    void theRequestForAFamilyIsAsTheKernelWantsIt() {
        byte[] request = NetlinkMessage.request(16, 7, 3, new NetlinkAttributes().putText(2, "nbd"));

        assertThat(HEX.formatHex(request))
                .isEqualTo(
                        "1c000000" + "1000" + "0500" + "07000000" + "00000000" + "03010000" + "08000200" + "6e626400");
    }

    @Test
    void attributesArePaddedToFourBytes() {
        byte[] attributes =
                new NetlinkAttributes().putText(10, "ab").putInt(1, 3).bytes();

        assertThat(HEX.formatHex(attributes)).isEqualTo("07000a00" + "61620000" + "08000100" + "03000000");
    }

    @Test
    void aConnectRequestHoldsAllThatTheKernelHasToKnow() {
        NbdGeometry geometry = new NbdGeometry(1 << 20, 512, 45);
        List<Descriptor> sockets = List.of(Descriptor.of("a", 8), Descriptor.of("b", 9));

        byte[] attributes = NbdNetlink.connectMessage(3, geometry, sockets, NbdDeviceOptions.defaults(), "p")
                .bytes();

        assertThat(HEX.formatHex(attributes))
                .isEqualTo("08000100" + "03000000" // index
                        + "0c000200" + "0000100000000000" // size
                        + "0c000300" + "0002000000000000" // block size
                        + "0c000500" + "2d00000000000000" // server flags
                        + "0c000400" + "3c00000000000000" // time-out
                        + "06000a00" + "70000000" // backend
                        + "1c000780" // sockets
                        + "0c000180" + "08000100" + "08000000"
                        + "0c000180" + "08000100" + "09000000");
    }

    @Test
    void aConnectRequestForAnyDeviceNamesNone() {
        NbdGeometry geometry = new NbdGeometry(512, 512, 1);

        byte[] attributes = NbdNetlink.connectMessage(-1, geometry, List.of(), NbdDeviceOptions.defaults(), "p")
                .bytes();

        assertThat(NetlinkAttributes.parse(ByteBuffer.wrap(attributes)))
                .extracting(Attribute::type)
                .doesNotContain(NbdNetlink.ATTR_INDEX, NbdNetlink.ATTR_DEAD_CONN_TIMEOUT);
    }

    @Test
    void nestedAttributesAreTakenApart() {
        byte[] list = new NetlinkAttributes()
                .putNested(1, new NetlinkAttributes().putInt(1, 5).putInt(2, 1))
                .putNested(1, new NetlinkAttributes().putInt(1, 6).putInt(2, 0))
                .bytes();

        List<Attribute> items = NetlinkAttributes.parse(ByteBuffer.wrap(list));

        assertThat(items).hasSize(2);
        assertThat(items.get(1).nested()).extracting(Attribute::number).containsExactly(6L, 0L);
    }

    @Test
    void anErrorTellsItsNumberAndItsWords() {
        ByteBuffer received = bytes(
                "38000000 0200 0003 07000000 00000000" // nlmsghdr: capped, with attributes
                        + "f0ffffff" // -16
                        + "1c000000 1000 0500 07000000 00000000" // header of the request
                        + "14000100" + "646576696365206275737900" + "00000000");

        NetlinkMessage message = NetlinkMessage.parse(received).get(0);

        assertThat(message.type()).isEqualTo(NetlinkMessage.ERROR);
        assertThat(message.sequence()).isEqualTo(7);
        assertThat(message.errno()).isEqualTo(Errno.EBUSY);
        assertThat(message.errorText()).isEqualTo("device busy");
    }

    @Test
    void anErrorThatRepeatsTheWholeRequestTellsItsWordsBehindIt() {
        ByteBuffer received = bytes(
                "38000000 0200 0002 07000000 00000000" // nlmsghdr: with attributes
                        + "eaffffff" // -22
                        + "18000000 1000 0500 07000000 00000000 0301000000000000" // the request, 24 bytes
                        + "0a000100" + "77726f6e67000000");

        NetlinkMessage message = NetlinkMessage.parse(received).get(0);

        assertThat(message.errno()).isEqualTo(Errno.EINVAL);
        assertThat(message.errorText()).isEqualTo("wrong");
    }

    @Test
    void aYesIsAnErrorOfZeroWithoutWords() {
        ByteBuffer received =
                bytes("24000000 0200 0001 07000000 00000000 00000000 1c000000 1000 0500 07000000 00000000");

        NetlinkMessage message = NetlinkMessage.parse(received).get(0);

        assertThat(message.errno()).isZero();
        assertThat(message.errorText()).isEmpty();
    }

    @Test
    void severalMessagesOfOneReadAreTakenApart() {
        byte[] one = NetlinkMessage.request(20, 1, 5, new NetlinkAttributes().putText(2, "abcde"));
        ByteBuffer both = ByteBuffer.allocate(2 * NetlinkAttributes.padded(one.length));
        both.put(one).position(NetlinkAttributes.padded(one.length)).put(one).clear();

        List<NetlinkMessage> messages = NetlinkMessage.parse(both);

        assertThat(messages).hasSize(2);
        assertThat(messages.get(1).attributes()).extracting(Attribute::text).containsExactly("abcde");
    }

    @Test
    void aMessageWithALengthBeyondTheReadIsLeftOut() {
        assertThat(NetlinkMessage.parse(bytes("ff000000 0200 0000 00000000 00000000")))
                .isEmpty();
        assertThat(NetlinkMessage.parse(bytes("00000000 0200 0000 00000000 00000000")))
                .isEmpty();
        assertThat(NetlinkAttributes.parse(bytes("ff000100 00000000"))).isEmpty();
    }
}
