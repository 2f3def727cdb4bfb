package dev.platter.linux;

import static org.assertj.core.api.Assertions.assertThat;

import dev.platter.testkit.ReferenceTools;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.opentest4j.TestAbortedException;

/** Sizes, offsets and numbers of our messages to nbd, netlink and device-mapper, as the C compiler of this machine has them. */
class CompilerLayoutTest {
    private static final String HEADERS = """
            #include <stdio.h>
            #include <stddef.h>
            #include <sys/ioctl.h>
            #include <sys/socket.h>
            #include <sys/un.h>
            #include <netinet/in.h>
            #include <netinet/tcp.h>
            #include <linux/netlink.h>
            #include <linux/genetlink.h>
            #include <linux/nbd.h>
            #include <linux/nbd-netlink.h>
            #include <linux/dm-ioctl.h>
            """;

    @TempDir
    Path folder;

    @BeforeEach
    void needsACompiler() {
        ReferenceTools.assumeTool("cc");
        for (String header : List.of("nbd-netlink.h", "dm-ioctl.h", "genetlink.h")) {
            if (!Files.exists(Path.of("/usr/include/linux", header))) {
                throw new TestAbortedException(
                        "linux/" + header + " is missing; on Debian: apt-get install linux-libc-dev");
            }
        }
    }

    /** Returns what the compiler makes of constant expressions. */
    private List<Long> values(String... expressions) throws IOException {
        StringBuilder program = new StringBuilder(HEADERS).append("int main(void) {\n");
        for (String expression : expressions) {
            program.append("  printf(\"%llu\\n\", (unsigned long long) (")
                    .append(expression)
                    .append("));\n");
        }
        Path source = Files.writeString(folder.resolve("values.c"), program.append("  return 0;\n}\n"));
        Path binary = folder.resolve("values");
        ReferenceTools.runOk("cc", "-o", binary.toString(), source.toString());
        List<Long> values = new ArrayList<>();
        ReferenceTools.runOk(binary.toString()).stdout().lines().forEach(line -> values.add(Long.parseLong(line)));
        return values;
    }

    @Test
    void deviceMapperStructures() throws IOException {
        assertThat(values(
                        "sizeof(struct dm_ioctl)",
                        "offsetof(struct dm_ioctl, data_size)",
                        "offsetof(struct dm_ioctl, data_start)",
                        "offsetof(struct dm_ioctl, target_count)",
                        "offsetof(struct dm_ioctl, open_count)",
                        "offsetof(struct dm_ioctl, flags)",
                        "offsetof(struct dm_ioctl, event_nr)",
                        "offsetof(struct dm_ioctl, dev)",
                        "offsetof(struct dm_ioctl, name)",
                        "offsetof(struct dm_ioctl, uuid)",
                        "DM_NAME_LEN",
                        "DM_UUID_LEN",
                        "sizeof(struct dm_target_spec)",
                        "offsetof(struct dm_target_spec, length)",
                        "offsetof(struct dm_target_spec, status)",
                        "offsetof(struct dm_target_spec, next)",
                        "offsetof(struct dm_target_spec, target_type)",
                        "DM_MAX_TYPE_NAME",
                        "offsetof(struct dm_name_list, next)",
                        "offsetof(struct dm_name_list, name)",
                        "offsetof(struct dm_target_versions, name)"))
                .containsExactly(
                        312L, 12L, 16L, 20L, 24L, 28L, 32L, 40L, 48L, 176L, 128L, 129L, 40L, 8L, 16L, 20L, 24L, 16L, 8L,
                        12L, 16L);
    }

    @Test
    void deviceMapperNumbers() throws IOException {
        assertThat(values(
                        "DM_LIST_DEVICES",
                        "DM_DEV_CREATE",
                        "DM_DEV_REMOVE",
                        "DM_DEV_SUSPEND",
                        "DM_DEV_STATUS",
                        "DM_TABLE_LOAD",
                        "DM_TABLE_STATUS",
                        "DM_LIST_VERSIONS",
                        "DM_READONLY_FLAG",
                        "DM_SUSPEND_FLAG",
                        "DM_STATUS_TABLE_FLAG",
                        "DM_BUFFER_FULL_FLAG"))
                .containsExactly(
                        0xC138FD02L,
                        0xC138FD03L,
                        0xC138FD04L,
                        0xC138FD06L,
                        0xC138FD07L,
                        0xC138FD09L,
                        0xC138FD0CL,
                        0xC138FD0DL,
                        1L,
                        2L,
                        16L,
                        256L);
    }

    @Test
    void nbdNumbers() throws IOException {
        assertThat(values(
                        "NBD_SET_SOCK",
                        "NBD_SET_BLKSIZE",
                        "NBD_DO_IT",
                        "NBD_CLEAR_SOCK",
                        "NBD_CLEAR_QUE",
                        "NBD_SET_SIZE_BLOCKS",
                        "NBD_DISCONNECT",
                        "NBD_SET_TIMEOUT",
                        "NBD_SET_FLAGS",
                        "NBD_FLAG_HAS_FLAGS | NBD_FLAG_READ_ONLY | NBD_FLAG_SEND_FLUSH | NBD_FLAG_SEND_FUA"
                                + " | NBD_FLAG_SEND_TRIM | NBD_FLAG_CAN_MULTI_CONN"))
                .containsExactly(
                        0xAB00L, 0xAB01L, 0xAB03L, 0xAB04L, 0xAB05L, 0xAB07L, 0xAB08L, 0xAB09L, 0xAB0AL, 0x12FL);
    }

    @Test
    void nbdAttributes() throws IOException {
        assertThat(values(
                        "NBD_CMD_CONNECT",
                        "NBD_CMD_DISCONNECT",
                        "NBD_CMD_RECONFIGURE",
                        "NBD_CMD_STATUS",
                        "NBD_ATTR_INDEX",
                        "NBD_ATTR_SIZE_BYTES",
                        "NBD_ATTR_BLOCK_SIZE_BYTES",
                        "NBD_ATTR_TIMEOUT",
                        "NBD_ATTR_SERVER_FLAGS",
                        "NBD_ATTR_SOCKETS",
                        "NBD_ATTR_DEAD_CONN_TIMEOUT",
                        "NBD_ATTR_DEVICE_LIST",
                        "NBD_SOCK_ITEM",
                        "NBD_SOCK_FD",
                        "NBD_DEVICE_ITEM",
                        "NBD_DEVICE_INDEX",
                        "NBD_DEVICE_CONNECTED"))
                .containsExactly(
                        (long) NbdNetlink.CMD_CONNECT,
                        (long) NbdNetlink.CMD_DISCONNECT,
                        (long) NbdNetlink.CMD_RECONFIGURE,
                        (long) NbdNetlink.CMD_STATUS,
                        (long) NbdNetlink.ATTR_INDEX,
                        (long) NbdNetlink.ATTR_SIZE_BYTES,
                        (long) NbdNetlink.ATTR_BLOCK_SIZE_BYTES,
                        (long) NbdNetlink.ATTR_TIMEOUT,
                        (long) NbdNetlink.ATTR_SERVER_FLAGS,
                        (long) NbdNetlink.ATTR_SOCKETS,
                        (long) NbdNetlink.ATTR_DEAD_CONN_TIMEOUT,
                        (long) NbdNetlink.ATTR_DEVICE_LIST,
                        (long) NbdNetlink.SOCK_ITEM,
                        (long) NbdNetlink.SOCK_FD,
                        (long) NbdNetlink.DEVICE_ITEM,
                        (long) NbdNetlink.DEVICE_INDEX,
                        (long) NbdNetlink.DEVICE_CONNECTED);
    }

    @Test
    void netlinkStructures() throws IOException {
        assertThat(values(
                        "sizeof(struct sockaddr_nl)",
                        "sizeof(struct nlmsghdr)",
                        "offsetof(struct nlmsghdr, nlmsg_type)",
                        "offsetof(struct nlmsghdr, nlmsg_flags)",
                        "offsetof(struct nlmsghdr, nlmsg_seq)",
                        "sizeof(struct genlmsghdr)",
                        "sizeof(struct nlattr)",
                        "offsetof(struct nlmsgerr, msg)",
                        "NLMSG_ERROR",
                        "NLMSG_DONE",
                        "NLM_F_REQUEST",
                        "NLM_F_ACK",
                        "NLM_F_CAPPED",
                        "NLM_F_ACK_TLVS",
                        "NLMSGERR_ATTR_MSG",
                        "NLA_F_NESTED",
                        "NETLINK_GENERIC",
                        "GENL_ID_CTRL",
                        "CTRL_CMD_GETFAMILY",
                        "CTRL_ATTR_FAMILY_ID",
                        "CTRL_ATTR_FAMILY_NAME"))
                .containsExactly(
                        12L, 16L, 4L, 6L, 8L, 4L, 4L, 4L, 2L, 3L, 1L, 4L, 0x100L, 0x200L, 1L, 0x8000L, 16L, 16L, 3L, 1L,
                        2L);
    }

    @Test
    void socketNumbers() throws IOException {
        assertThat(values(
                        "AF_UNIX",
                        "AF_INET",
                        "AF_INET6",
                        "AF_NETLINK",
                        "SOCK_STREAM",
                        "SOCK_RAW",
                        "SOCK_CLOEXEC",
                        "SOL_SOCKET",
                        "SO_KEEPALIVE",
                        "SO_RCVTIMEO",
                        "SO_SNDTIMEO",
                        "IPPROTO_TCP",
                        "TCP_NODELAY",
                        "270",
                        "NETLINK_CAP_ACK",
                        "NETLINK_EXT_ACK",
                        "SHUT_RDWR",
                        "sizeof(struct sockaddr_un)",
                        "sizeof(struct sockaddr_in)",
                        "sizeof(struct sockaddr_in6)"))
                .containsExactly(
                        (long) SocketCalls.AF_UNIX,
                        (long) SocketCalls.AF_INET,
                        (long) SocketCalls.AF_INET6,
                        (long) SocketCalls.AF_NETLINK,
                        (long) SocketCalls.SOCK_STREAM,
                        (long) SocketCalls.SOCK_RAW,
                        (long) SocketCalls.SOCK_CLOEXEC,
                        (long) SocketCalls.SOL_SOCKET,
                        (long) SocketCalls.SO_KEEPALIVE,
                        (long) SocketCalls.SO_RCVTIMEO,
                        (long) SocketCalls.SO_SNDTIMEO,
                        (long) SocketCalls.IPPROTO_TCP,
                        (long) SocketCalls.TCP_NODELAY,
                        (long) SocketCalls.SOL_NETLINK,
                        (long) SocketCalls.NETLINK_CAP_ACK,
                        (long) SocketCalls.NETLINK_EXT_ACK,
                        (long) SocketCalls.SHUT_RDWR,
                        110L,
                        16L,
                        28L);
    }
}
