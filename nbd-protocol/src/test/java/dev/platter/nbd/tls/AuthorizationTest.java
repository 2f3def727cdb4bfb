package dev.platter.nbd.tls;

import static org.assertj.core.api.Assertions.assertThat;

import dev.platter.nbd.tls.ListAuthorization.Format;
import dev.platter.nbd.tls.ListAuthorization.Policy;
import dev.platter.nbd.tls.ListAuthorization.Rule;
import dev.platter.nbd.tls.PeerIdentity.Kind;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

@Timeout(60)
class AuthorizationTest {
    private static final PeerIdentity LAPTOP = new PeerIdentity(Kind.X509, "C=GB,O=Example\\, Org,CN=laptop");
    private static final PeerIdentity ALICE = new PeerIdentity(Kind.PSK, "alice");

    @Test
    void oneIdentityIsAllowed() {
        Authorization simple = new SimpleAuthorization("C=GB,O=Example\\, Org,CN=laptop");

        assertThat(simple.allows(LAPTOP, "disk")).isTrue();
        assertThat(simple.allows(ALICE, "disk")).isFalse();
        assertThat(simple.allows(new PeerIdentity(Kind.X509, "CN=laptop,O=Example\\, Org,C=GB"), "disk"))
                .isFalse();
    }

    @Test
    void anIdentityByKeyIsHeldToTheSame() {
        assertThat(new SimpleAuthorization("alice").allows(ALICE, "")).isTrue();
        assertThat(new SimpleAuthorization("bob").allows(ALICE, "")).isFalse();
    }

    @Test
    void whoProvedNothingIsDeniedWhateverTheRulesSay() {
        Rule all = new Rule("*", Policy.ALLOW, Format.GLOB);

        assertThat(new SimpleAuthorization("").allows(PeerIdentity.ANONYMOUS, ""))
                .isFalse();
        assertThat(new ListAuthorization(Policy.ALLOW, List.of(all)).allows(PeerIdentity.ANONYMOUS, ""))
                .isFalse();
    }

    @Test
    void theFirstRuleThatMatchesDecides() {
        Authorization list = new ListAuthorization(List.of(
                new Rule("mallory", Policy.DENY),
                new Rule("m*", Policy.ALLOW, Format.GLOB),
                new Rule("mike", Policy.DENY),
                new Rule("alice", Policy.ALLOW)));

        assertThat(list.allows(psk("mallory"), "")).isFalse();
        assertThat(list.allows(psk("mike"), "")).isTrue();
        assertThat(list.allows(ALICE, "")).isTrue();
        assertThat(list.allows(psk("bob"), "")).isFalse();
    }

    @Test
    void thePolicyIsForTheRest() {
        Authorization list = new ListAuthorization(Policy.ALLOW, List.of(new Rule("mallory", Policy.DENY)));

        assertThat(list.allows(psk("mallory"), "")).isFalse();
        assertThat(list.allows(ALICE, "")).isTrue();
        assertThat(new ListAuthorization(List.of()).allows(ALICE, "")).isFalse();
    }

    @Test
    void anExactRuleKnowsNoStars() {
        Authorization list = new ListAuthorization(List.of(new Rule("*", Policy.ALLOW)));

        assertThat(list.allows(ALICE, "")).isFalse();
        assertThat(list.allows(psk("*"), "")).isTrue();
    }

    @ParameterizedTest
    @CsvSource({
        "*, '', true",
        "'', '', true",
        "'', a, false",
        "?, '', false",
        "*CN=laptop*, 'C=GB,CN=laptop.example', true",
        "*CN=laptop, 'C=GB,CN=laptop.example', false",
        "a*b*c, axxbyyc, true",
        "a*b*c, axxbyy, false",
        "a?c, abc, true",
        "a?c, ac, false",
        "a?c, a\uD83D\uDE00c, true",
        "'[ab]', a, false",
        "**, xyz, true",
        "a\\*, a\\b, true",
        "*a*a*, ba, false"
    })
    void globsKnowStarsAndQuestionMarks(String pattern, String name, boolean matches) {
        Authorization list = new ListAuthorization(List.of(new Rule(pattern, Policy.ALLOW, Format.GLOB)));

        assertThat(list.allows(psk(name), "")).isEqualTo(matches);
    }

    @Test
    void aGlobTakesNoEndlessTime() {
        Authorization list =
                new ListAuthorization(List.of(new Rule("*a".repeat(200) + "b", Policy.ALLOW, Format.GLOB)));

        assertThat(list.allows(psk("a".repeat(10_000)), "")).isFalse();
    }

    private static PeerIdentity psk(String name) {
        return new PeerIdentity(Kind.PSK, name);
    }
}
