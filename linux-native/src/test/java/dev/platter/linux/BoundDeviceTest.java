package dev.platter.linux;

import static org.assertj.core.api.Assertions.assertThat;

import java.nio.file.Path;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.Test;

class BoundDeviceTest {
    private static BoundDevice device(@Nullable String content, boolean readOnly) {
        return new BoundDevice("/dev/sda1", Path.of("/dev/loop3p1"), 512, content, readOnly);
    }

    @Test
    void optionsKeepEachFileSystemFromWriting() {
        assertThat(device("ext4", true).mountOptions()).isEqualTo("ro,nosuid,nodev,noexec,noload");
        assertThat(device("xfs", true).mountOptions()).isEqualTo("ro,nosuid,nodev,noexec,norecovery,nouuid");
        assertThat(device("btrfs", true).mountOptions()).isEqualTo("ro,nosuid,nodev,noexec,rescue=nologreplay");
        assertThat(device("vfat", true).mountOptions()).isEqualTo("ro,nosuid,nodev,noexec");
        assertThat(device("xfs", false).mountOptions()).isEqualTo("rw,nosuid,nodev,noexec,nouuid");
    }

    @Test
    void optionOfBtrfsIsTheOneThatTheKernelKnows() {
        assertThat(BoundDevice.noLogReplay("5.4.0-150-generic")).isEqualTo(",nologreplay");
        assertThat(BoundDevice.noLogReplay("5.9.0")).isEqualTo(",rescue=nologreplay");
        assertThat(BoundDevice.noLogReplay("6.18.44")).isEqualTo(",rescue=nologreplay");
        assertThat(BoundDevice.noLogReplay("")).isEqualTo(",rescue=nologreplay");
    }

    @Test
    void whatIsNoFileSystemIsNotMounted() {
        assertThat(device("ext4", true).isMountable()).isTrue();
        assertThat(device("swap", true).isMountable()).isFalse();
        assertThat(device("LVM2_member", true).isMountable()).isFalse();
        assertThat(device("crypto_LUKS", true).isMountable()).isFalse();
        assertThat(device(null, true).isMountable()).isFalse();
    }
}
