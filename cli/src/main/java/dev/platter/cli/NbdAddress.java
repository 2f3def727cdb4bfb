package dev.platter.cli;

import dev.platter.nbd.client.NbdUri;
import java.net.URI;
import java.net.URLEncoder;
import java.nio.charset.StandardCharsets;
import java.util.Locale;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/** Addresses of NBD exports: the URIs that all use, and what QEMU has besides. QEMU: block/nbd.c. */
final class NbdAddress {
    private static final String QEMU = "nbd:";
    private static final String EXPORT = ":exportname=";
    private static final String UNIX = "unix:";
    private static final String DEFAULT_PORT = "10809";
    private static final Set<String> WITHOUT_EFFECT = Set.of("reconnect-delay", "open-timeout");

    private NbdAddress() {}

    /** Returns whether a name on a command line is an address, whatever files there are; {@code ./nbd:} names a file. */
    static boolean is(String text) {
        int colon = text.indexOf(':');
        if (colon < 0) {
            return false;
        }
        return switch (text.substring(0, colon).toLowerCase(Locale.ROOT)) {
            case "nbd", "nbds", "nbd+unix", "nbds+unix" -> true;
            default -> false;
        };
    }

    /** Takes a file name: an URI, {@code nbd:HOST:PORT:exportname=NAME}, or {@code nbd:unix:PATH:exportname=NAME}. */
    static NbdUri parse(String text) throws StartFailure {
        if (text.contains("://")) {
            return uri(text);
        }
        if (!text.startsWith(QEMU)) {
            // Without this, an address that asks for TLS would be one without.
            throw new StartFailure("'" + text + "' is no address: :// is missing");
        }
        String rest = text.substring(QEMU.length());
        int at = rest.indexOf(EXPORT);
        String export = at < 0 ? "" : rest.substring(at + EXPORT.length());
        String server = at < 0 ? rest : rest.substring(0, at);
        if (server.startsWith(UNIX)) {
            return unix(server.substring(UNIX.length()), export);
        }
        int colon = server.lastIndexOf(':');
        if (colon < 0) {
            throw new StartFailure("error parsing address '" + server + "'");
        }
        return tcp(server.substring(0, colon), server.substring(colon + 1), export);
    }

    /** Returns an address as images are opened by it. */
    static URI location(NbdUri uri) {
        return URI.create(uri.toFullString());
    }

    /** Takes the options of the driver {@code nbd}. */
    static NbdUri take(DottedOptions options) throws StartFailure {
        DottedOptions server = options.takeAll("server");
        String type = server.take("type");
        String path = either(server.take("path"), options.take("path"));
        String host = either(server.take("host"), options.take("host"));
        String port = either(server.take("port"), options.take("port"));
        String export = either(options.take("export"), "");
        options.take("read-only");
        WITHOUT_EFFECT.forEach(options::take);
        String left = either(server.left() == null ? null : "server." + server.left(), options.left());
        if (left != null) {
            throw new StartFailure("Block protocol 'nbd' doesn't support the option '" + left + "'");
        }
        if (path == null && host == null) {
            throw new StartFailure(type == null ? "NBD server address missing" : "Parameter 'server.host' is missing");
        }
        return path != null
                ? unix(path, String.valueOf(export))
                : tcp(String.valueOf(host), port == null ? DEFAULT_PORT : port, String.valueOf(export));
    }

    private static @Nullable String either(@Nullable String first, @Nullable String second) {
        return first != null ? first : second;
    }

    private static NbdUri unix(String path, String export) throws StartFailure {
        return uri("nbd+unix:///" + escape(export) + "?socket=" + escape(path));
    }

    private static NbdUri tcp(String host, String port, String export) throws StartFailure {
        String name = host.startsWith("[") ? host.substring(1, host.length() - 1) : host;
        return uri("nbd://" + (name.indexOf(':') >= 0 ? "[" + name + "]" : escape(name)) + ":" + port
                + (export.isEmpty() ? "" : "/" + escape(export)));
    }

    private static String escape(String text) {
        // What it makes of a blank is for forms.
        return URLEncoder.encode(text, StandardCharsets.UTF_8).replace("+", "%20");
    }

    private static NbdUri uri(String text) throws StartFailure {
        try {
            return NbdUri.parse(text);
        } catch (IllegalArgumentException e) {
            throw new StartFailure(String.valueOf(e.getMessage()));
        }
    }
}
