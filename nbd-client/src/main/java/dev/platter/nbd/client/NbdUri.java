package dev.platter.nbd.client;

import dev.platter.core.Printable;
import dev.platter.nbd.protocol.WireText;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import org.jspecify.annotations.Nullable;

/**
 * The address of an export: {@code nbd://host:10809/export}, {@code nbds://…} with TLS, {@code
 * nbd+unix:///export?socket=/run/nbd.sock} and {@code nbds+unix://…} by a Unix socket. Follows "The NBD Uniform Resource
 * Indicator" (NetworkBlockDevice/nbd, doc/uri.md).
 *
 * @param tls whether TLS is required
 * @param host name or address of the server, without brackets; null for a Unix socket
 * @param port TCP port, 1 to 65535; {@value #DEFAULT_PORT} for a Unix socket
 * @param socket path of the Unix socket; null for TCP
 * @param export name of the export; the empty one is the default export
 * @param user the identity that a shared key belongs to, or null
 * @param credentials where the keys and certificates of TLS are
 */
public record NbdUri(
        boolean tls,
        @Nullable String host,
        int port,
        @Nullable String socket,
        String export,
        @Nullable String user,
        Credentials credentials) {

    private static final String PLAIN = "-._~/:@!$'()*,;=";

    /** The port that IANA gave to NBD. */
    public static final int DEFAULT_PORT = 10809;

    /**
     * What an address says about TLS: its parameters of that name.
     *
     * @param type {@code tls-type}: {@code x509} or {@code psk}; {@code anon} exists and proves nothing. Null if not stated
     * @param hostname {@code tls-hostname}: what the certificate of the server must name, or null for the host itself
     * @param verifyPeer {@code tls-verify-peer}: whether that certificate is verified
     * @param certificates {@code tls-certificates}: folder of PEM files, or null
     * @param pskFile {@code tls-psk-file}: file of shared keys, or null
     */
    public record Credentials(
            @Nullable String type,
            @Nullable String hostname,
            boolean verifyPeer,
            @Nullable String certificates,
            @Nullable String pskFile) {

        /** What holds for an address without such parameters. */
        public static final Credentials UNSTATED = new Credentials(null, null, true, null, null);
    }

    /** Checks an address. */
    public NbdUri {
        if ((host == null) == (socket == null)) {
            throw new IllegalArgumentException("host and socket: exactly one of them is needed");
        }
        if (port < 1 || port > 65535) {
            throw new IllegalArgumentException("port: " + port + " is not from 1 to 65535");
        }
        WireText.bytes(export);
    }

    /** Returns the address of an export by TCP, without TLS. */
    public static NbdUri ofTcp(String host, int port, String export) {
        return new NbdUri(false, host, port, null, export, null, Credentials.UNSTATED);
    }

    /** Returns the address of an export by a Unix socket, without TLS. */
    public static NbdUri ofUnix(String socket, String export) {
        return new NbdUri(false, null, DEFAULT_PORT, socket, export, null, Credentials.UNSTATED);
    }

    /**
     * Takes an address apart.
     *
     * @throws IllegalArgumentException if it is none, or has a parameter that is not known; the message says what is wrong
     */
    public static NbdUri parse(String text) {
        return new Parser(text).parse();
    }

    /** Returns the same server's address of another export. */
    public NbdUri withExport(String name) {
        return new NbdUri(tls, host, port, socket, name, user, credentials);
    }

    /** Returns the address as others may see it: without the user, and without the parameters of TLS. */
    @Override
    public String toString() {
        StringBuilder out = new StringBuilder(tls ? "nbds" : "nbd");
        if (socket != null) {
            out.append("+unix://");
        } else {
            String name = host == null ? "" : host;
            out.append("://").append(name.indexOf(':') >= 0 ? "[" + escape(name) + "]" : escape(name));
            if (port != DEFAULT_PORT) {
                out.append(':').append(port);
            }
        }
        out.append(socket == null && export.isEmpty() ? "" : "/").append(escape(export));
        if (socket != null) {
            out.append("?socket=").append(escape(socket));
        }
        return out.toString();
    }

    /**
     * Returns the address in full, as libnbd writes it: with the user, the port, and where the keys and certificates are, for
     * whoever gave it. {@link #parse} makes the same of it.
     */
    public String toFullString() {
        StringBuilder out = new StringBuilder(tls ? "nbds" : "nbd").append(socket == null ? "://" : "+unix://");
        if (user != null) {
            out.append(escape(user).replace(":", "%3A").replace("/", "%2F").replace("@", "%40"))
                    .append('@');
        }
        if (host != null) {
            out.append(host.indexOf(':') >= 0 ? "[" + escape(host) + "]" : escape(host))
                    .append(':')
                    .append(port);
        }
        out.append('/').append(escape(export, PLAIN + "+&"));
        char before = parameter(out, '?', "socket", socket);
        before = parameter(out, before, "tls-type", credentials.type());
        before = parameter(out, before, "tls-hostname", credentials.hostname());
        before = parameter(out, before, "tls-verify-peer", credentials.verifyPeer() ? null : "0");
        before = parameter(out, before, "tls-certificates", credentials.certificates());
        parameter(out, before, "tls-psk-file", credentials.pskFile());
        return out.toString();
    }

    private static char parameter(StringBuilder out, char before, String key, @Nullable String value) {
        if (value == null) {
            return before;
        }
        out.append(before).append(key).append('=').append(escape(value));
        return '&';
    }

    private static String escape(String text) {
        return escape(text, PLAIN);
    }

    private static String escape(String text, String alsoPlain) {
        StringBuilder out = new StringBuilder();
        for (byte b : text.getBytes(StandardCharsets.UTF_8)) {
            char c = (char) (b & 0xff);
            boolean plain = (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z');
            if (plain || alsoPlain.indexOf(c) >= 0) {
                out.append(c);
            } else {
                out.append(String.format("%%%02X", (int) c));
            }
        }
        return out.toString();
    }

    /** Takes one address apart. */
    private static final class Parser {
        private static final List<String> SCHEMES = List.of("nbd", "nbds", "nbd+unix", "nbds+unix");

        private final String text;
        private String scheme = "";

        private @Nullable String socket;
        private @Nullable String type;
        private @Nullable String hostname;
        private boolean verifyPeer = true;
        private @Nullable String certificates;
        private @Nullable String pskFile;
        private final List<String> seen = new ArrayList<>();

        Parser(String text) {
            this.text = text;
        }

        NbdUri parse() {
            int separator = text.indexOf("://");
            if (separator < 0) {
                throw wrong("an address of an export begins with nbd://, nbds://, nbd+unix:// or nbds+unix://");
            }
            scheme = text.substring(0, separator).toLowerCase(Locale.ROOT);
            if (!SCHEMES.contains(scheme)) {
                throw wrong("the scheme " + Printable.quote(scheme) + " is not one of " + String.join(", ", SCHEMES));
            }
            if (text.indexOf('#') >= 0) {
                throw wrong("an address of an export has no fragment; # in a name is written %23");
            }
            int query = text.indexOf('?');
            if (query >= 0) {
                parameters(text.substring(query + 1));
            }
            String hierarchy = text.substring(separator + 3, query < 0 ? text.length() : query);
            int slash = hierarchy.indexOf('/');
            String authority = slash < 0 ? hierarchy : hierarchy.substring(0, slash);
            String export = slash < 0 ? "" : decode(hierarchy.substring(slash + 1), "export name");
            int at = authority.lastIndexOf('@');
            String user = at < 0 ? null : user(authority.substring(0, at));
            return server(authority.substring(at + 1), export, user);
        }

        private NbdUri server(String server, String export, @Nullable String user) {
            boolean unix = scheme.endsWith("+unix");
            boolean tls = scheme.startsWith("nbds");
            Credentials credentials = new Credentials(type, hostname, verifyPeer, certificates, pskFile);
            if (!tls && (!credentials.equals(Credentials.UNSTATED) || seen.contains("tls-verify-peer"))) {
                throw wrong("parameters of TLS need a scheme with TLS: nbds" + (unix ? "+unix" : ""));
            }
            if (unix && !server.isEmpty()) {
                throw wrong("a host has no place beside a Unix socket: " + scheme + ":///EXPORT?socket=PATH");
            }
            if (unix && (socket == null || socket.isEmpty())) {
                throw wrong("the parameter socket=PATH is missing");
            }
            if (!unix && socket != null) {
                throw wrong("the parameter socket belongs to nbd+unix:// and nbds+unix://");
            }
            String host = unix ? null : host(server);
            int port = unix ? DEFAULT_PORT : port(server);
            try {
                return new NbdUri(tls, host, port, unix ? socket : null, export, user, credentials);
            } catch (IllegalArgumentException e) {
                throw wrong(String.valueOf(e.getMessage()));
            }
        }

        private String user(String encoded) {
            if (encoded.indexOf(':') >= 0) {
                throw wrong("there is no place for a password; the key belongs into a file: tls-psk-file=FILE");
            }
            return decode(encoded, "user");
        }

        private String host(String server) {
            if (server.startsWith("[")) {
                int end = server.indexOf(']');
                if (end < 0 || end == 1 || server.substring(1, end).indexOf(':') < 0) {
                    throw wrong("no IPv6 address in brackets");
                }
                return decode(server.substring(1, end), "host");
            }
            String name = decode(server.substring(0, portColon(server)), "host");
            if (name.indexOf(':') >= 0) {
                throw wrong("an IPv6 address is written in brackets");
            }
            return name.isEmpty() ? "localhost" : name;
        }

        private int port(String server) {
            String digits = server.substring(Math.min(portColon(server) + 1, server.length()));
            if (digits.isEmpty()) {
                return DEFAULT_PORT;
            }
            if (!digits.matches("[0-9]{1,5}")) {
                throw wrong("port: " + Printable.quote(digits) + " is not from 1 to 65535");
            }
            return Integer.parseInt(digits);
        }

        /** Returns where the colon before the port is, or would be. */
        private int portColon(String server) {
            int start = server.startsWith("[") ? server.indexOf(']') + 1 : 0;
            int colon = start == 0 ? server.lastIndexOf(':') : start;
            if (start > 0 && start < server.length() && server.charAt(start) != ':') {
                throw wrong("nothing but a port can follow an IPv6 address in brackets");
            }
            return colon < 0 ? server.length() : colon;
        }

        private void parameters(String query) {
            for (String parameter : query.split("&", -1)) {
                if (parameter.isEmpty()) {
                    continue;
                }
                int equals = parameter.indexOf('=');
                String key = decode(equals < 0 ? parameter : parameter.substring(0, equals), "parameter");
                if (seen.contains(key)) {
                    throw wrong("the parameter " + Printable.quote(key) + " is there twice");
                }
                seen.add(key);
                if (key.startsWith("x-")) {
                    continue;
                }
                if (equals < 0) {
                    throw wrong("the parameter " + Printable.quote(key) + " has no value");
                }
                parameter(key, decode(parameter.substring(equals + 1), key));
            }
        }

        private void parameter(String key, String value) {
            switch (key) {
                case "socket" -> socket = requirePath(value);
                case "tls-type" -> type = requireOneOf(key, value, "anon", "x509", "psk");
                case "tls-hostname" -> hostname = value;
                case "tls-verify-peer" ->
                    verifyPeer = requireOneOf(key, value, "0", "1").equals("1");
                case "tls-certificates" -> certificates = value;
                case "tls-psk-file" -> pskFile = value;
                default ->
                    throw wrong("the parameter " + Printable.quote(key) + " is not known; known are socket, tls-type,"
                            + " tls-hostname, tls-verify-peer, tls-certificates, tls-psk-file");
            }
        }

        private String requirePath(String value) {
            if (value.indexOf(0) >= 0) {
                throw wrong("abstract Unix sockets cannot be reached; socket needs a path in the file system");
            }
            return value;
        }

        private String requireOneOf(String key, String value, String... allowed) {
            if (!List.of(allowed).contains(value)) {
                throw wrong(key + ": " + Printable.quote(value) + " is not one of " + String.join(", ", allowed));
            }
            return value;
        }

        /** Undoes percent-encoding. A plus sign is a plus sign. */
        private String decode(String encoded, String what) {
            if (encoded.indexOf('%') < 0) {
                return encoded;
            }
            byte[] bytes = new byte[3 * encoded.length()];
            int count = 0;
            for (int i = 0; i < encoded.length(); ) {
                if (encoded.charAt(i) == '%') {
                    int high = i + 2 < encoded.length() ? Character.digit(encoded.charAt(i + 1), 16) : -1;
                    int low = i + 2 < encoded.length() ? Character.digit(encoded.charAt(i + 2), 16) : -1;
                    if (high < 0 || low < 0) {
                        throw wrong(what + ": after % two hexadecimal digits are due");
                    }
                    bytes[count++] = (byte) (high << 4 | low);
                    i += 3;
                } else {
                    int end = Math.max(encoded.indexOf('%', i), i);
                    end = end == i ? encoded.length() : end;
                    byte[] plain = encoded.substring(i, end).getBytes(StandardCharsets.UTF_8);
                    System.arraycopy(plain, 0, bytes, count, plain.length);
                    count += plain.length;
                    i = end;
                }
            }
            String decoded = new String(bytes, 0, count, StandardCharsets.UTF_8);
            if (decoded.indexOf('\ufffd') >= 0) {
                throw wrong(what + ": the bytes behind the percent signs are not UTF-8");
            }
            return decoded;
        }

        /** The address itself may hold what is secret, so only its scheme is named. */
        private IllegalArgumentException wrong(String why) {
            String which = scheme.isEmpty() || !SCHEMES.contains(scheme) ? "NBD address" : scheme + ":// address";
            return new IllegalArgumentException(which + ": " + Printable.escape(why));
        }
    }
}
