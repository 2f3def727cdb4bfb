package dev.platter.inspect;

import static dev.platter.inspect.GuestBytes.uuid;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.platter.core.BlockDevice;
import dev.platter.core.DiskImageException;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.file.NoSuchFileException;
import java.util.List;
import java.util.Map;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class VolumeNamesTest {
    private static final int SIZE = GuestBytes.DATA_AT + 16 * GuestBytes.EXTENT;

    private static BlockDevice disk(char pv, String group) {
        GuestBytes disk = new GuestBytes(SIZE).physicalVolume(0, SIZE, uuid(pv), group);
        for (int extent = 0; extent < 16; extent++) {
            disk.bytes.put(GuestBytes.DATA_AT + extent * GuestBytes.EXTENT, (byte) (pv + extent));
        }
        return disk.device("disk-" + pv);
    }

    private static List<String> names(ImageInspector image) {
        return image.volumeGroups().stream()
                .flatMap(group -> group.logicalVolumes().stream().map(volume -> image.deviceName(group, volume)))
                .toList();
    }

    private static byte firstByte(ImageInspector image, String name) throws IOException {
        ByteBuffer one = ByteBuffer.allocate(1);
        try (BlockDevice device = image.device(name)) {
            device.read(0, one);
        }
        return one.get(0);
    }

    @Test
    void volumeIsNamedByItsGroupAndItself() throws IOException {
        String group = GuestBytes.group("vg0", 'G', 'a', GuestBytes.volume("root", 'R', 2, 1));

        try (ImageInspector image = ImageInspector.of(disk('a', group))) {
            assertThat(names(image)).containsExactly("/dev/vg0/root");
            for (String name :
                    List.of("/dev/vg0/root", "/dev/vg0@" + uuid('G') + "/root", uuid('G') + "/" + uuid('R'))) {
                assertThat(firstByte(image, name)).as(name).isEqualTo((byte) ('a' + 2));
            }
        }
    }

    @Test
    void groupsOfOneNameAreToldApartByTheirUuids() throws IOException {
        BlockDevice first = disk('a', GuestBytes.group("vg0", 'G', 'a', GuestBytes.volume("root", 'R', 1, 1)));
        BlockDevice second = disk(
                'b',
                GuestBytes.group(
                        "vg0", 'H', 'b', GuestBytes.volume("root", 'S', 3, 1), GuestBytes.volume("only", 'T', 4, 1)));

        try (ImageInspector image = ImageInspector.of(first, second)) {
            String one = "/dev/vg0@" + uuid('G') + "/root";
            String other = "/dev/vg0@" + uuid('H') + "/root";
            String only = "/dev/vg0@" + uuid('H') + "/only";
            assertThat(names(image)).containsExactlyInAnyOrder(one, other, only);
            assertThat(image.devices()).extracting(entry -> entry.name()).contains(one, other, only);
            assertThat(firstByte(image, one)).isEqualTo((byte) ('a' + 1));
            assertThat(firstByte(image, other)).isEqualTo((byte) ('b' + 3));
            assertThatThrownBy(() -> image.device("/dev/vg0/root"))
                    .isInstanceOf(NoSuchFileException.class)
                    .hasMessageContainingAll(one, other);
            assertThatThrownBy(() -> image.device("/dev/vg0/only"))
                    .isInstanceOf(NoSuchFileException.class)
                    .hasMessageContaining(only);
            assertThatThrownBy(() -> image.device("/dev/vg0/none"))
                    .isInstanceOf(NoSuchFileException.class)
                    .hasMessageContaining("there is no such device in the image");
        }
    }

    @Test
    void volumesOfOneNameInAGroupAreNotChosenFrom() throws IOException {
        String group = GuestBytes.group(
                "vg0", 'G', 'a', GuestBytes.volume("twin", 'R', 1, 1), GuestBytes.volume("twin", 'S', 2, 1));

        try (ImageInspector image = ImageInspector.of(disk('a', group))) {
            assertThat(image.devices()).extracting(entry -> entry.name()).containsExactly("/dev/sda");
            for (String name : List.of("/dev/vg0/twin", "/dev/vg0@" + uuid('G') + "/twin")) {
                assertThatThrownBy(() -> image.device(name))
                        .isInstanceOf(DiskImageException.class)
                        .hasMessageContaining("two volumes of this name");
            }
        }
    }

    @ParameterizedTest
    @ValueSource(strings = {"..", ".", "a b"})
    void volumeWithAnUnsafeNameIsNamedByUuidsAlone(String name) throws IOException {
        String group = GuestBytes.group("vg0", 'G', 'a', GuestBytes.volume('"' + name + '"', 'R', 1, 1));

        try (ImageInspector image = ImageInspector.of(disk('a', group))) {
            String shown = uuid('G') + "/" + uuid('R');
            assertThat(names(image)).allSatisfy(own -> assertThat(own).isEqualTo(shown));
            for (String path : List.of("/dev/vg0/" + name, "/dev/vg0@" + uuid('G') + "/" + name)) {
                assertThatThrownBy(() -> image.device(path)).isInstanceOf(NoSuchFileException.class);
            }
        }
    }

    @Test
    void volumesOfOneUuidAreNotChosenFrom() throws IOException {
        String group = GuestBytes.group(
                "vg0", 'G', 'a', GuestBytes.volume("one", 'R', 1, 1), GuestBytes.volume("other", 'R', 2, 1));

        try (ImageInspector image = ImageInspector.of(disk('a', group))) {
            assertThat(firstByte(image, "/dev/vg0/one")).isEqualTo((byte) ('a' + 1));
            assertThat(firstByte(image, "/dev/vg0/other")).isEqualTo((byte) ('a' + 2));
            assertThatThrownBy(() -> image.device(uuid('G') + "/" + uuid('R')))
                    .isInstanceOf(DiskImageException.class)
                    .hasMessageContaining("two logical volumes have these UUIDs");
        }
    }

    @Test
    void everyNameThatIsListedOpensTheDeviceOfThatSize() throws IOException {
        GuestBytes disk = new GuestBytes(256 << 10)
                .partition(1, 0x8e, 64, 160)
                // ends beyond the disk, and lies beyond it
                .partition(2, 0x83, 300, 1000)
                .partition(3, 0x83, 5000, 10);
        disk.physicalVolume(
                64 * 512, 80 << 10, uuid('a'), GuestBytes.group("vg0", 'G', 'a', GuestBytes.volume("v", 'R', 0, 4)));

        try (ImageInspector image = ImageInspector.of(disk.device("disk"))) {
            Map<String, Long> listed = Map.of(
                    "/dev/sda",
                    256L << 10,
                    "/dev/sda1",
                    80L << 10,
                    "/dev/sda2",
                    (512L - 300) * 512,
                    "/dev/vg0/v",
                    16L << 10);
            assertThat(image.devices())
                    .extracting(entry -> entry.name())
                    .containsExactlyInAnyOrderElementsOf(listed.keySet());
            for (var entry : image.devices()) {
                try (BlockDevice device = image.device(entry.name())) {
                    assertThat(device.size())
                            .as(entry.name())
                            .isEqualTo(entry.size())
                            .isEqualTo(listed.get(entry.name()));
                }
            }
            assertThatThrownBy(() -> image.device("/dev/sda3")).isInstanceOf(DiskImageException.class);
        }
    }

    @Test
    void namesThatAreNoNamesOpenNothing() throws IOException {
        try (ImageInspector image = ImageInspector.of(new GuestBytes(4096).device("empty"))) {
            Stream.of("", "/", "/dev", "sda", "/dev/sda0", "/dev/sda01", "/dev/sdb", "/dev/sda/", "a/b", "\u001b[31m")
                    .forEach(name -> assertThatThrownBy(() -> image.device(name))
                            .as(name)
                            .isInstanceOf(NoSuchFileException.class)
                            .message()
                            .doesNotContain("\u001b"));
        }
    }
}
