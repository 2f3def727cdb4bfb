package dev.platter.cli;

/** Servers that libnbd starts by itself: {@code [ COMMAND ARGUMENT... ]} in place of an address. */
final class Subprocesses {

    private Subprocesses() {}

    /** Returns why there are none here. */
    static StartFailure refused() {
        return new StartFailure(
                "[ COMMAND ... ]: a JVM cannot hand a socket to a program that it starts; start the server by"
                        + " itself on a Unix socket, and give its address, nbd+unix:///?socket=PATH");
    }
}
