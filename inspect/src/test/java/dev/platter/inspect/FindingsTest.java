package dev.platter.inspect;

import static org.assertj.core.api.Assertions.assertThat;

import dev.platter.core.Warning;
import org.junit.jupiter.api.Test;

class FindingsTest {

    @Test
    void warningsWithoutEndHideNoProblem() {
        Findings findings = new Findings();
        for (int i = 0; i < 5000; i++) {
            findings.warn(new Warning(i, "odd " + i));
        }

        findings.problem("cannot be read");

        assertThat(findings.problems()).containsExactly("cannot be read");
        assertThat(findings.warnings()).hasSize(1001).last().isEqualTo("and 4000 more warnings");
    }

    @Test
    void whatAnImageLacksIsToldOnce() {
        Findings findings = new Findings();

        findings.missing("a: backing file \"b\" is missing");
        findings.problem("/dev/sda: a: backing file \"b\" is missing");

        assertThat(findings.problems()).containsExactly("a: backing file \"b\" is missing");
    }
}
