package dev.platter.filesystem;

import dev.platter.core.BlockDevice;
import dev.platter.core.BlockDevices;
import dev.platter.core.Limits;
import dev.platter.core.Warning;
import dev.platter.testkit.Promises;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.List;

/**
 * Recognises what an input makes of a volume. The first byte of the input chooses the place, its highest bit that the
 * checksum stays as it is, the one below a volume of 1 MiB; the others are poured into the place.
 */
final class ProbedVolume {
    private static final int UNSEALED = 0x80;
    private static final int SMALL = 0x40;
    private static final int SMALL_BYTES = 1 << 20;

    private final List<Place> places;
    private final ByteBuffer bytes = ByteBuffer.allocate(Place.VOLUME_BYTES).order(ByteOrder.LITTLE_ENDIAN);

    ProbedVolume(Place... places) {
        this.places = List.of(places);
    }

    void check(byte[] input) {
        if (input.length < 2) {
            return;
        }
        Place place = places.get((input[0] & 0x3f) % places.size());
        place.pour(ByteBuffer.wrap(input).position(1), bytes);
        try {
            if ((input[0] & UNSEALED) == 0) {
                place.seal(bytes);
            }
            int size = (input[0] & SMALL) == 0 ? bytes.capacity() : SMALL_BYTES;
            Promises.ofMetadata(input.length).check(() -> recognise(place, bytes.slice(0, size)));
        } finally {
            place.wipe(bytes);
        }
    }

    private static void recognise(Place place, ByteBuffer volume) throws IOException {
        BlockDevice device = BlockDevices.ofBytes("fuzz.raw", volume.asReadOnlyBuffer());
        Recognition recognition = FileSystems.recognise(device, Limits.defaults());
        show(recognition.warnings());
        recognition.found().forEach(found -> show(found.warnings()));
        if (place == Place.ZFS) {
            // which is not looked for in volumes this small
            try (Volume probed = Volume.open(device, Limits.defaults())) {
                new ZfsProbe().probe(probed);
            }
        }
    }

    private static void show(List<Warning> warnings) {
        warnings.forEach(warning -> Promises.requireShowable(warning.text()));
    }
}
