package dev.platter.linux;

import com.sun.jna.Native;
import com.sun.jna.Platform;
import com.sun.jna.Pointer;

/** The calls of the C library about sockets. They can be made where {@link LibC#isAvailable} says so. */
final class SocketCalls {
    static final int AF_UNIX = 1;
    static final int AF_INET = 2;
    static final int AF_INET6 = 10;
    static final int AF_NETLINK = 16;

    static final int SOCK_STREAM = 1;
    static final int SOCK_RAW = 3;
    static final int SOCK_CLOEXEC = 0x80000;

    static final int SOL_SOCKET = 1;
    static final int SO_KEEPALIVE = 9;
    static final int SO_RCVTIMEO = 20;
    static final int SO_SNDTIMEO = 21;
    static final int IPPROTO_TCP = 6;
    static final int TCP_NODELAY = 1;
    static final int SOL_NETLINK = 270;
    static final int NETLINK_CAP_ACK = 10;
    static final int NETLINK_EXT_ACK = 11;

    static final int SHUT_RDWR = 2;

    static {
        Native.register(SocketCalls.class, Platform.C_LIBRARY_NAME);
    }

    private SocketCalls() {}

    static native int socket(int family, int type, int protocol);

    static native int bind(int descriptor, Pointer address, int length);

    static native int connect(int descriptor, Pointer address, int length);

    static native int setsockopt(int descriptor, int level, int option, Pointer value, int length);

    static native int shutdown(int descriptor, int how);
}
