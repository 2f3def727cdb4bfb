package dev.platter.cli;

import java.io.IOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.SocketAddress;
import java.net.UnixDomainSocketAddress;
import java.net.UnknownHostException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * Where a server listens, or is reached: {@code --socket}, or {@code --bind} and {@code --port}.
 *
 * @param socket path of a Unix socket; null for TCP
 * @param host name or address; empty for all addresses
 * @param port number, or name of a service
 */
record ServerAddress(@Nullable String socket, String host, String port) {
    private static final int MOST_PATH_BYTES = 107;
    private static final Path SERVICES = Path.of("/etc/services");

    /**
     * Returns the addresses that this means.
     *
     * @throws StartFailure if it means none; the message is that of QEMU
     */
    List<SocketAddress> resolve() throws StartFailure {
        if (socket != null) {
            if (socket.getBytes(StandardCharsets.UTF_8).length > MOST_PATH_BYTES) {
                throw new StartFailure(
                        "UNIX socket path '" + socket + "' is too long",
                        "Path must be less than " + (MOST_PATH_BYTES + 1) + " bytes");
            }
            return List.of(UnixDomainSocketAddress.of(Arguments.path(socket)));
        }
        int number = portNumber();
        List<SocketAddress> addresses = new ArrayList<>();
        try {
            for (InetAddress address : InetAddress.getAllByName(host.isEmpty() ? "0.0.0.0" : host)) {
                addresses.add(new InetSocketAddress(address, number));
            }
        } catch (UnknownHostException e) {
            throw unresolved("Name or service not known");
        }
        return addresses;
    }

    /** Returns the port as a number. */
    int portNumber() throws StartFailure {
        int number = number(port);
        if (number < 0) {
            number = service(port);
        }
        if (number < 0) {
            throw unresolved("Servname not supported for ai_socktype");
        }
        return number;
    }

    private StartFailure unresolved(String why) {
        return new StartFailure("address resolution failed for " + host + ":" + port + ": " + why);
    }

    /** Returns -1 if the text is no number of a port. */
    private static int number(String text) {
        if (text.isEmpty()) {
            return 0;
        }
        if (text.length() > 5 || !text.chars().allMatch(c -> c >= '0' && c <= '9')) {
            return -1;
        }
        int number = Integer.parseInt(text);
        return number > 65535 ? -1 : number;
    }

    /** Java does not ask the system for services. Returns -1 if there is none of that name. */
    private static int service(String name) {
        try {
            for (String line : Files.readAllLines(SERVICES, StandardCharsets.ISO_8859_1)) {
                int comment = line.indexOf('#');
                List<String> words = List.of((comment < 0 ? line : line.substring(0, comment))
                        .strip()
                        .split("\\s+"));
                if (words.size() > 1 && words.get(1).endsWith("/tcp") && words.contains(name)) {
                    return number(words.get(1).substring(0, words.get(1).length() - "/tcp".length()));
                }
            }
        } catch (IOException e) {
            // Without the list there are no names.
            return -1;
        }
        return -1;
    }
}
