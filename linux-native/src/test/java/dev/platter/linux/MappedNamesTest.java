package dev.platter.linux;

import static org.assertj.core.api.Assertions.assertThat;

import org.junit.jupiter.api.Test;

class MappedNamesTest {
    @Test
    void dashesInPartsAreDoubledAsLvmDoes() {
        assertThat(MappedNames.ofVolume("web", "my-vg", "root")).isEqualTo("platter-web-my--vg-root");
    }

    @Test
    void volumesWhoseJoinedNamesAreEqualGetDifferentNames() {
        assertThat(MappedNames.ofVolume("t", "a-b", "c")).isNotEqualTo(MappedNames.ofVolume("t", "a", "b-c"));
    }

    @Test
    void partitionsHaveANumber() {
        assertThat(MappedNames.ofPartition("web", 3)).isEqualTo("platter-web-p3");
    }

    @Test
    void whatCannotBePartOfAPathIsEscaped() {
        assertThat(MappedNames.ofVolume("t", "../x y", "ö")).isEqualTo("platter-t-..\\x2fx\\x20y-\\xc3\\xb6");
    }

    @Test
    void longNamesAreShortenedAndStayDifferent() {
        String one = MappedNames.ofVolume("t", "g".repeat(127), "a");
        String other = MappedNames.ofVolume("t", "g".repeat(127), "b");

        assertThat(one).hasSize(127).isNotEqualTo(other);
        assertThat(other).hasSize(127);
    }

    @Test
    void theUuidIsNotLvmsAndFitsTheKernel() {
        String uuid = MappedNames.uuid("platter-web-p1");

        assertThat(uuid).startsWith("PLATTER-").hasSizeLessThan(129);
        assertThat(MappedNames.isOurs(uuid)).isTrue();
        assertThat(MappedNames.isOurs("LVM-" + "a".repeat(64))).isFalse();
    }
}
