package dev.platter.nbd.client;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

class NbdUriTest {

    @ParameterizedTest
    @CsvSource(
            delimiter = '|',
            nullValues = "-",
            value = {
                "nbd://host                  | host        | 10809 | ''",
                "nbd://host/                 | host        | 10809 | ''",
                "nbd://host/disk             | host        | 10809 | disk",
                "nbd://host//disk            | host        | 10809 | /disk",
                "nbd://host/a/b              | host        | 10809 | a/b",
                "nbd://host:/disk            | host        | 10809 | disk",
                "nbd://host:1/disk           | host        | 1     | disk",
                "nbd://host:65535            | host        | 65535 | ''",
                "NBD://Host:1/Disk           | Host        | 1     | Disk",
                "nbd:///x                    | localhost   | 10809 | x",
                "nbd://:99/x                 | localhost   | 99    | x",
                "nbd://[::1]/x               | ::1         | 10809 | x",
                "nbd://[fe80::1%25eth0]:1/x  | fe80::1%eth0| 1     | x",
                "nbd://10.0.0.1:1            | 10.0.0.1    | 1     | ''",
                "nbd://user@host/x           | host        | 10809 | x",
                "nbd://h/a%20b%2fc%3F        | h           | 10809 | a b/c?",
                "nbd://h/a+b                 | h           | 10809 | a+b",
                "nbd://h/%c3%a4              | h           | 10809 | ä",
                "nbd://h/ä                   | h           | 10809 | ä",
                "nbd://h/x?x-what=ever&x-y   | h           | 10809 | x",
                "nbd://h/x?                  | h           | 10809 | x",
            })
    void addressOfATcpServerIsTakenApart(String text, String host, int port, String export) {
        NbdUri uri = NbdUri.parse(text);

        assertThat(uri.host()).isEqualTo(host);
        assertThat(uri.port()).isEqualTo(port);
        assertThat(uri.export()).isEqualTo(export);
        assertThat(uri.tls()).isFalse();
        assertThat(uri.socket()).isNull();
    }

    @ParameterizedTest
    @CsvSource({
        "nbd+unix:///?socket=/run/s, /run/s, ''",
        "nbd+unix:///x?socket=/run/s, /run/s, x",
        "nbd+unix://?socket=/run/s, /run/s, ''",
        "nbd+unix://user@/x?socket=rel, rel, x",
        "nbd+unix:////x?socket=/run/a%20b%26c, /run/a b&c, /x",
    })
    void addressOfAUnixSocketIsTakenApart(String text, String socket, String export) {
        NbdUri uri = NbdUri.parse(text);

        assertThat(uri.socket()).isEqualTo(socket);
        assertThat(uri.export()).isEqualTo(export);
        assertThat(uri.host()).isNull();
    }

    @Test
    void parametersOfTlsAreTaken() {
        NbdUri uri = NbdUri.parse("nbds+unix://al%40ice@/x?socket=/s&tls-type=psk&tls-hostname=h.example"
                + "&tls-verify-peer=0&tls-certificates=/pki%2Fa&tls-psk-file=/keys");

        assertThat(uri.tls()).isTrue();
        assertThat(uri.user()).isEqualTo("al@ice");
        assertThat(uri.credentials()).isEqualTo(new NbdUri.Credentials("psk", "h.example", false, "/pki/a", "/keys"));
    }

    @ParameterizedTest
    @CsvSource({
        "nbd://host, nbd://host:10809/",
        "nbd://user@host:1/a%20b//%c3%a9%22+%25?x-foo=bar, nbd://user@host:1/a%20b//%C3%A9%22+%25",
        "nbd://[::1]/x, nbd://[::1]:10809/x",
        "nbd+unix://?socket=/run/s, nbd+unix:///?socket=/run/s",
        "nbd+unix:///x?socket=/run/a%20b%26c, nbd+unix:///x?socket=/run/a%20b%26c",
        "nbds+unix://al%40i%3ac%2fe@/x?socket=/s&tls-psk-file=/keys, nbds+unix://al%40i%3Ac%2Fe@/x?socket=/s&tls-psk-file=/keys",
        "nbds://h?tls-certificates=/pki&tls-verify-peer=0&tls-type=x509&tls-hostname=a, nbds://h:10809/?tls-type=x509&tls-hostname=a&tls-verify-peer=0&tls-certificates=/pki",
    })
    void addressInFullHoldsAllThatWasStated(String text, String full) {
        NbdUri uri = NbdUri.parse(text);

        assertThat(uri.toFullString()).isEqualTo(full);
        assertThat(NbdUri.parse(full)).isEqualTo(uri);
    }

    @Test
    void certificatesAreVerifiedUnlessTheAddressSaysOtherwise() {
        assertThat(NbdUri.parse("nbds://h").credentials().verifyPeer()).isTrue();
        assertThat(NbdUri.parse("nbds://h?tls-verify-peer=1").credentials().verifyPeer())
                .isTrue();
    }

    @ParameterizedTest
    @CsvSource(
            delimiter = '|',
            value = {
                "host                              | begins with nbd://",
                "nbd:host:10809                    | begins with nbd://",
                "http://host                       | is not one of nbd, nbds",
                "nbd+vsock://2:10809               | is not one of nbd, nbds",
                "nbd://host:0                      | port: 0 is not from 1 to 65535",
                "nbd://host:65536                  | port: 65536 is not from 1 to 65535",
                "nbd://host:99999999999            | is not from 1 to 65535",
                "nbd://host:-1                     | is not from 1 to 65535",
                "nbd://host:nbd                    | is not from 1 to 65535",
                "nbd://::1/x                       | in brackets",
                "nbd://[::1/x                      | no IPv6 address in brackets",
                "nbd://[]/x                        | no IPv6 address in brackets",
                "nbd://[host]/x                    | no IPv6 address in brackets",
                "nbd://[::1]x/x                    | nothing but a port",
                "nbd://h/%zz                       | two hexadecimal digits",
                "nbd://h/a%4                       | two hexadecimal digits",
                "nbd://h/%ff                       | not UTF-8",
                "nbd://h/a%00b                     | no NUL",
                "nbd://h/x#y                       | fragment",
                "nbd://h/x?socket=/s               | belongs to nbd+unix",
                "nbd+unix:///x                     | socket=PATH is missing",
                "nbd+unix:///x?socket=             | socket=PATH is missing",
                "nbd+unix://host/x?socket=/s       | beside a Unix socket",
                "nbd+unix:///x?socket=%00abstract  | abstract",
                "nbds://h?tls-type=rot13           | not one of anon, x509, psk",
                "nbds://h?tls-verify-peer=yes      | not one of 0, 1",
                "nbds://h?tls-hostname=a&tls-hostname=b | twice",
                "nbds://h?tls-priority=NORMAL      | not known",
                "nbds://h?TLS-TYPE=psk             | not known",
                "nbds://h?tls-hostname             | has no value",
                "nbd://h?tls-certificates=/pki     | need a scheme with TLS: nbds",
                "nbd://h?tls-verify-peer=1         | need a scheme with TLS: nbds",
                "nbd+unix:///?socket=/s&tls-type=psk | need a scheme with TLS: nbds+unix",
                "nbds://user:secret@h              | no place for a password",
            })
    void whatIsNoAddressIsRefusedWithTheReason(String text, String reason) {
        assertThatThrownBy(() -> NbdUri.parse(text))
                .isInstanceOf(IllegalArgumentException.class)
                .hasMessageContaining(reason);
    }

    @Test
    void passwordInAnAddressIsNotRepeated() {
        assertThatThrownBy(() -> NbdUri.parse("nbds://user:secret@h")).hasMessageNotContaining("secret");
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "nbd://host",
                "nbd://host/disk",
                "nbd://host:1//disk",
                "nbds://host/a%20b%25",
                "nbd://[::1]:99/x",
                "nbd+unix:///?socket=/run/s",
                "nbds+unix:///x%3F?socket=/run/a%26b",
                "nbd://localhost/%C2%85%1B",
            })
    void addressIsShownAsItIsWritten(String text) {
        assertThat(NbdUri.parse(text)).hasToString(text);
        assertThat(NbdUri.parse(NbdUri.parse(text).toString())).isEqualTo(NbdUri.parse(text));
    }

    @Test
    void whatIsShownHoldsNoSecrets() {
        String shown = NbdUri.parse("nbds://alice@h/x?tls-psk-file=/home/alice/keys&tls-hostname=a")
                .toString();

        assertThat(shown).isEqualTo("nbds://h/x");
    }

    @Test
    void nameOfAnExportIsAtMost4096BytesLong() {
        assertThat(NbdUri.parse("nbd://h/" + "a".repeat(4096)).export()).hasSize(4096);
        assertThatThrownBy(() -> NbdUri.parse("nbd://h/" + "a".repeat(4097)))
                .isInstanceOf(IllegalArgumentException.class)
                .hasMessageContaining("4096");
        assertThatThrownBy(() -> NbdUri.parse("nbd://h/" + "ä".repeat(2049)))
                .isInstanceOf(IllegalArgumentException.class);
    }

    @Test
    void otherExportOfTheSameServerHasTheSameAddressOtherwise() {
        NbdUri uri = NbdUri.parse("nbds://alice@h:1/x?tls-hostname=a");

        assertThat(uri.withExport("y")).isEqualTo(NbdUri.parse("nbds://alice@h:1/y?tls-hostname=a"));
    }
}
