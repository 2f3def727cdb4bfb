package dev.platter.cli;

import dev.platter.nbd.tls.Authorization;
import dev.platter.nbd.tls.ListAuthorization;
import dev.platter.nbd.tls.PskCredentials;
import dev.platter.nbd.tls.SimpleAuthorization;
import dev.platter.nbd.tls.TlsCredentials;
import dev.platter.nbd.tls.X509Credentials;
import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.regex.Pattern;

/**
 * What {@code --object} defines: secrets, TLS credentials, and who is let in. QEMU: qapi/qom.json, qapi/crypto.json and
 * qapi/authz.json.
 */
final class ObjectOptions {
    private static final Pattern IDENTIFIER = Pattern.compile("[A-Za-z][-._A-Za-z0-9]*");

    private final Map<String, Object> objects = new HashMap<>();

    /** Credentials, and which side of a connection they are for. */
    private record Credentials(TlsCredentials tls, boolean server) {}

    /**
     * Defines an object, by {@code TYPE,id=ID,…} or JSON. Files that it names are read.
     *
     * @throws IOException if it cannot be; the message is that of QEMU
     */
    void add(String text) throws IOException {
        DottedOptions options =
                text.startsWith("{") ? DottedOptions.json(text) : DottedOptions.parse(text, "qom-type", false);
        String type = options.require("qom-type");
        requireKnown(type);
        String id = options.require("id");
        if (!IDENTIFIER.matcher(id).matches()) {
            throw new StartFailure(
                    "Parameter 'id' expects an identifier",
                    "Identifiers consist of letters, digits, '-', '.', '_', starting with a letter.");
        }
        Object object = make(type, options);
        requireNothingLeft(options);
        if (objects.putIfAbsent(id, object) != null) {
            throw new StartFailure("attempt to add duplicate property '" + id + "' to object (type 'container')");
        }
    }

    private static void requireKnown(String type) throws StartFailure {
        switch (type) {
            case "secret", "tls-creds-x509", "tls-creds-psk", "authz-simple", "authz-list" -> {
                // known
            }
            case "tls-creds-anon" ->
                throw new StartFailure(
                        "tls-creds-anon proves nothing to anybody, and Java has no such TLS; use tls-creds-x509 or"
                                + " tls-creds-psk");
            case "authz-list-file", "authz-pam" ->
                throw new StartFailure(type + " is not there; use authz-simple or authz-list");
            default -> throw new StartFailure("Parameter 'qom-type' does not accept value '" + type + "'");
        }
    }

    private Object make(String type, DottedOptions options) throws IOException {
        return switch (type) {
            case "secret" -> Secret.of(options, this::secret);
            case "tls-creds-x509" -> x509(options);
            case "tls-creds-psk" -> psk(options);
            case "authz-simple" -> new SimpleAuthorization(options.require("identity"));
            default -> list(options);
        };
    }

    private Credentials x509(DottedOptions options) throws IOException {
        boolean server = takeEndpoint(options);
        boolean verifyPeer = options.takeFlag("verify-peer", true);
        boolean sanityCheck = options.takeFlag("sanity-check", true);
        String passwordId = options.take("passwordid");
        takePriority(options);
        Path folder = takeFolder(options);
        requireNothingLeft(options);
        X509Credentials.Builder builder = server ? X509Credentials.server(folder) : X509Credentials.client(folder);
        if (passwordId != null) {
            builder.keyPassword(secret(passwordId).text());
        }
        return new Credentials(
                builder.verifyPeer(verifyPeer).sanityCheck(sanityCheck).read(), server);
    }

    private static Credentials psk(DottedOptions options) throws IOException {
        boolean server = takeEndpoint(options);
        options.takeFlag("verify-peer", true);
        String username = options.take("username");
        takePriority(options);
        Path keys = takeFolder(options).resolve(PskCredentials.KEYS_FILE);
        requireNothingLeft(options);
        if (server && username != null) {
            throw new StartFailure("username should not be set when endpoint=server");
        }
        return new Credentials(
                server
                        ? PskCredentials.server(keys)
                        : PskCredentials.client(keys, username == null ? PskCredentials.DEFAULT_USERNAME : username),
                server);
    }

    private static boolean takeEndpoint(DottedOptions options) throws StartFailure {
        return choose(options, "endpoint", "client", "client", "server").equals("server");
    }

    private static Path takeFolder(DottedOptions options) throws StartFailure {
        String folder = options.take("dir");
        if (folder == null) {
            throw new StartFailure("Missing 'dir' property value");
        }
        return Arguments.path(folder);
    }

    /** Priorities are a language of GnuTLS. Ignoring one would leave a door open that somebody wanted shut. */
    private static void takePriority(DottedOptions options) throws StartFailure {
        String priority = options.take("priority");
        if (priority != null && !priority.equals("NORMAL")) {
            throw new StartFailure("priority '" + priority
                    + "' cannot be followed: TLS here is that of Java, 1.3 and 1.2; its ciphers are chosen by the file"
                    + " java.security (jdk.tls.disabledAlgorithms)");
        }
    }

    /** Comes before any file is read: a wrong word is the better complaint. */
    private static void requireNothingLeft(DottedOptions options) throws StartFailure {
        String left = options.left();
        if (left != null) {
            throw new StartFailure("Parameter '" + left + "' is unexpected");
        }
    }

    private static Authorization list(DottedOptions options) throws StartFailure {
        ListAuthorization.Policy policy = policy(options, "deny");
        List<ListAuthorization.Rule> rules = new ArrayList<>();
        for (DottedOptions rule : options.takeList("rules")) {
            String match = rule.take("match");
            if (match == null) {
                throw new StartFailure("Parameter 'rules." + rules.size() + ".match' is missing");
            }
            if (!rule.has("policy")) {
                throw new StartFailure("Parameter 'rules." + rules.size() + ".policy' is missing");
            }
            String format = choose(rule, "format", "exact", "exact", "glob");
            rules.add(new ListAuthorization.Rule(
                    match, policy(rule, "deny"), ListAuthorization.Format.valueOf(format.toUpperCase(Locale.ROOT))));
            requireNothingLeft(rule);
        }
        return new ListAuthorization(policy, rules);
    }

    private static ListAuthorization.Policy policy(DottedOptions options, String otherwise) throws StartFailure {
        return ListAuthorization.Policy.valueOf(
                choose(options, "policy", otherwise, "deny", "allow").toUpperCase(Locale.ROOT));
    }

    static String choose(DottedOptions options, String key, String otherwise, String... allowed) throws StartFailure {
        String value = options.take(key);
        if (value == null) {
            return otherwise;
        }
        if (!List.of(allowed).contains(value)) {
            throw new StartFailure("Parameter '" + key + "' does not accept value '" + value + "'");
        }
        return value;
    }

    private Secret secret(String id) throws StartFailure {
        Object object = objects.get(id);
        if (object == null) {
            throw new StartFailure("No secret with id '" + id + "'");
        }
        if (!(object instanceof Secret secret)) {
            throw new StartFailure("Object with id '" + id + "' is not a secret");
        }
        return secret;
    }

    /**
     * Returns TLS credentials.
     *
     * @param server for which side they have to be
     */
    TlsCredentials credentials(String id, boolean server) throws StartFailure {
        Object object = objects.get(id);
        if (object == null) {
            throw new StartFailure("No TLS credentials with id '" + id + "'");
        }
        if (!(object instanceof Credentials credentials)) {
            throw new StartFailure("Object with id '" + id + "' is not TLS credentials");
        }
        if (credentials.server != server) {
            throw new StartFailure("Expected TLS credentials for a " + (server ? "server" : "client") + " endpoint");
        }
        return credentials.tls;
    }

    /** Returns who is let in. */
    Authorization authorization(String id) throws StartFailure {
        Object object = objects.get(id);
        if (object == null) {
            throw new StartFailure("Cannot find QAuthZ object ID " + id);
        }
        if (!(object instanceof Authorization authorization)) {
            throw new StartFailure("Object '" + id + "' is not a QAuthZ subclass");
        }
        return authorization;
    }
}
