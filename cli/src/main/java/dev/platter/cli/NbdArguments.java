package dev.platter.cli;

import dev.platter.nbd.tls.Authorization;
import dev.platter.nbd.tls.TlsCredentials;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;
import java.util.Set;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Model.CommandSpec;

/**
 * What stood on the command line of {@code platter nbd}, checked in the order in which qemu-nbd checks it. Its fields are set
 * by {@link #read}. QEMU: qemu-nbd.c, main.
 */
final class NbdArguments {
    /** Options that qemu-nbd 7.2 does not have. */
    static final Set<String> ADDITIONS =
            Set.of("--partition", "--devices", "--allow-references", "--allow-probing", "--handshake-limit");

    private static final int MOST_TEXT_BYTES = 4096;
    private static final int DEFAULT_HANDSHAKE_SECONDS = 10;

    /** What is to be done. */
    enum Task {
        HELP,
        VERSION,
        LIST,
        DISCONNECT,
        CONNECT,
        SERVE
    }

    Task task = Task.SERVE;

    /** The image, or the device. */
    String file = "";

    final ImageArguments image = new ImageArguments();
    ServerAddress address = new ServerAddress(null, "0.0.0.0", "10809");

    /** Clients at once; 0 for as many as there may be at all. */
    int shared = 1;

    boolean persistent;
    boolean verbose;
    String exportName = "";
    String description = "";
    boolean allocationDepth;
    final List<String> bitmaps = new ArrayList<>();

    /** Whether all devices of the image are offered. */
    boolean devices;

    /** The kernel's device. */
    @Nullable
    String connect;

    boolean fork;

    @Nullable
    String pidFile;

    int handshakeSeconds = DEFAULT_HANDSHAKE_SECONDS;

    @Nullable
    TlsCredentials tls;

    /** The name that a server's certificate has to be for; null if nobody said. */
    @Nullable
    String tlsHostname;

    @Nullable
    Authorization authorization;

    private final ObjectOptions objects = new ObjectOptions();
    private boolean list;
    private boolean disconnect;
    private boolean exportStated;
    private @Nullable String bind;
    private @Nullable String port;
    private @Nullable String socket;
    private @Nullable String tlsCreds;
    private @Nullable String tlsAuthz;
    private @Nullable String selinuxLabel;

    private NbdArguments() {}

    /**
     * Reads the words of a command line.
     *
     * @param activation how many sockets whoever started this process handed over
     * @throws UsageException if a word is no option
     * @throws IOException if the options contradict each other, or a file that they name cannot be read
     */
    static NbdArguments read(CommandSpec spec, String program, String[] words, int activation) throws IOException {
        NbdArguments arguments = new NbdArguments();
        List<String> parameters = GetoptLong.read(spec, ADDITIONS, words, arguments::take);
        if (arguments.task == Task.SERVE) {
            arguments.check(parameters, program, activation);
        }
        return arguments;
    }

    /** Returns whether more options are to be read. */
    private boolean take(String name, String value) throws IOException {
        switch (name) {
            case "--help" -> task = Task.HELP;
            case "--version" -> task = Task.VERSION;
            case "--bind" -> bind = value;
            case "--port" -> port = value;
            case "--socket" -> {
                if (!value.startsWith("/")) {
                    throw new StartFailure("socket path must be absolute");
                }
                socket = value;
            }
            case "--shared" -> {
                shared = (int) CNumber.parse(value, Integer.MAX_VALUE);
                if (shared < 0) {
                    throw new StartFailure("Invalid shared device number '" + value + "'");
                }
            }
            case "--handshake-limit" -> {
                handshakeSeconds = (int) CNumber.parse(value, Integer.MAX_VALUE);
                if (handshakeSeconds < 0) {
                    throw new StartFailure("Invalid handshake limit '" + value + "'");
                }
            }
            case "--export-name" -> {
                exportName = text("export name", value);
                exportStated = true;
            }
            case "--description" -> {
                description = text("export description", value);
                exportStated = true;
            }
            case "--bitmap" -> bitmaps.add(value);
            case "--connect" -> connect = value;
            case "--object" -> objects.add(value);
            case "--tls-creds" -> tlsCreds = value;
            case "--tls-hostname" -> tlsHostname = value;
            case "--tls-authz" -> tlsAuthz = value;
            case "--pid-file" -> pidFile = value;
            case "--selinux-label" -> selinuxLabel = value;
            default -> {
                if (!takeFlag(name)) {
                    image.take(name, value);
                }
            }
        }
        return task != Task.HELP && task != Task.VERSION;
    }

    private boolean takeFlag(String name) {
        switch (name) {
            case "--persistent" -> persistent = true;
            case "--verbose" -> verbose = true;
            case "--allocation-depth" -> allocationDepth = true;
            case "--devices" -> devices = true;
            case "--list" -> list = true;
            case "--disconnect" -> disconnect = true;
            case "--fork" -> fork = true;
            case "--trace" -> {
                // There are no trace points here.
            }
            default -> {
                return false;
            }
        }
        return true;
    }

    private static String text(String what, String value) throws StartFailure {
        if (value.getBytes(StandardCharsets.UTF_8).length > MOST_TEXT_BYTES) {
            throw new StartFailure(what + " '" + value + "' too long");
        }
        return value;
    }

    private void check(List<String> parameters, String program, int activation) throws StartFailure {
        image.check();
        if (list) {
            checkListing(parameters);
        } else if (parameters.size() != 1) {
            throw new StartFailure("Invalid number of arguments", "Try `" + program + " --help' for more information.");
        } else {
            file = parameters.get(0);
        }
        if (activation > 0) {
            checkActivation(activation);
        }
        checkTls();
        if (selinuxLabel != null) {
            throw new StartFailure(
                    socket == null && connect == null
                            ? "--selinux-label is not permitted without --socket"
                            : "Cannot set SELinux socket create context to " + selinuxLabel
                                    + ": Java has no call for it");
        }
        address = new ServerAddress(socket, bind == null ? "0.0.0.0" : bind, port == null ? "10809" : port);
        task = list ? Task.LIST : disconnect ? Task.DISCONNECT : connect != null ? Task.CONNECT : Task.SERVE;
    }

    private void checkListing(List<String> parameters) throws StartFailure {
        if (!parameters.isEmpty()) {
            throw new StartFailure("List mode is incompatible with a file name");
        }
        if (exportStated
                || connect != null
                || disconnect
                || devices
                || !bitmaps.isEmpty()
                || allocationDepth
                || image.isAny()) {
            throw new StartFailure("List mode is incompatible with per-device settings");
        }
        if (fork) {
            throw new StartFailure("List mode is incompatible with forking");
        }
    }

    private void checkActivation(int sockets) throws StartFailure {
        String conflict = connect != null
                ? "NBD device can't be set"
                : socket != null
                        ? "Unix socket can't be set"
                        : bind != null
                                ? "The interface can't be set"
                                : port != null
                                        ? "TCP port number can't be set"
                                        : selinuxLabel != null ? "SELinux label can't be set" : null;
        if (conflict != null) {
            throw new StartFailure(conflict + " when using socket activation");
        }
        if (list) {
            throw new StartFailure("List mode is incompatible with socket activation");
        }
        if (sockets > 1) {
            throw new StartFailure("qemu-nbd does not support socket activation with LISTEN_FDS > 1");
        }
    }

    private void checkTls() throws StartFailure {
        if (tlsCreds == null) {
            if (tlsAuthz != null || tlsHostname != null) {
                throw new StartFailure((tlsAuthz != null ? "--tls-authz" : "--tls-hostname")
                        + " is not permitted without --tls-creds");
            }
            return;
        }
        if (connect != null) {
            throw new StartFailure("TLS is not supported with a host device");
        }
        if (tlsAuthz != null && list) {
            throw new StartFailure("TLS authorization is incompatible with export list");
        }
        if (tlsHostname != null && !list) {
            throw new StartFailure("TLS hostname is only supported with export list");
        }
        try {
            tls = objects.credentials(tlsCreds, !list);
        } catch (StartFailure e) {
            throw e.in("Failed to get TLS creds");
        }
        authorization = tlsAuthz == null ? null : objects.authorization(tlsAuthz);
    }

    /** Returns the name that the certificate of a server that is listed has to be for; null if there is none. */
    @Nullable
    String serverName() {
        return tlsHostname != null ? tlsHostname : bind;
    }
}
