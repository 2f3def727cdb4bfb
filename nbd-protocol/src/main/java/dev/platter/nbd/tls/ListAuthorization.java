package dev.platter.nbd.tls;

import java.util.List;

/**
 * Allows and denies identities by rules, the first of which that matches decides: {@code authz-list} of QEMU. Who proved
 * nothing is denied whatever the rules say.
 *
 * @param policy for whom no rule matches
 * @param rules in the order in which they are asked
 */
public record ListAuthorization(Policy policy, List<Rule> rules) implements Authorization {

    /** What is done with somebody. */
    public enum Policy {
        ALLOW,
        DENY
    }

    /** How a rule matches. */
    public enum Format {
        /** The identity is equal to the text. */
        EXACT,
        /** In the text, {@code *} stands for any characters and {@code ?} for one; nothing else is special. */
        GLOB
    }

    /**
     * A rule.
     *
     * @param match what the identity is compared with
     * @param policy what is done if it matches
     * @param format how it is compared
     */
    public record Rule(String match, Policy policy, Format format) {

        /** Makes a rule that compares exactly, as QEMU does unless told otherwise. */
        public Rule(String match, Policy policy) {
            this(match, policy, Format.EXACT);
        }

        boolean matches(String identity) {
            return format == Format.EXACT
                    ? identity.equals(match)
                    : glob(match.codePoints().toArray(), identity.codePoints().toArray());
        }

        /** Goes back to the last asterisk only: the work is bounded by the product of the lengths. */
        private static boolean glob(int[] pattern, int[] text) {
            int p = 0;
            int t = 0;
            int asterisk = -1;
            int resume = 0;
            while (t < text.length) {
                if (p < pattern.length && pattern[p] == '*') {
                    asterisk = p++;
                    resume = t;
                } else if (p < pattern.length && (pattern[p] == '?' || pattern[p] == text[t])) {
                    p++;
                    t++;
                } else if (asterisk >= 0) {
                    p = asterisk + 1;
                    t = ++resume;
                } else {
                    return false;
                }
            }
            while (p < pattern.length && pattern[p] == '*') {
                p++;
            }
            return p == pattern.length;
        }
    }

    /** Copies the rules. */
    public ListAuthorization {
        rules = List.copyOf(rules);
    }

    /** Denies for whom no rule matches, as QEMU does unless told otherwise. */
    public ListAuthorization(List<Rule> rules) {
        this(Policy.DENY, rules);
    }

    @Override
    public boolean allows(PeerIdentity identity, String export) {
        if (identity.kind() == PeerIdentity.Kind.ANONYMOUS) {
            return false;
        }
        for (Rule rule : rules) {
            if (rule.matches(identity.name())) {
                return rule.policy() == Policy.ALLOW;
            }
        }
        return policy == Policy.ALLOW;
    }
}
