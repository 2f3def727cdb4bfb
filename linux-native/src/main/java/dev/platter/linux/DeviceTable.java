package dev.platter.linux;

import java.util.List;

/**
 * What a device-mapper device is made of: its targets, one behind the other from sector 0 on. Immutable. Sectors have 512
 * bytes here, whatever the devices below have. Source: Documentation/admin-guide/device-mapper.
 */
public final class DeviceTable {
    static final int SECTOR = 512;

    private final List<Target> targets;

    /**
     * A piece of the device.
     *
     * @param start first sector in the device
     * @param sectors length, more than 0
     * @param type {@code linear}, {@code zero} or {@code error}
     * @param parameters of that type: {@code 7:0 2048} for {@code linear}, empty for the others
     */
    public record Target(long start, long sectors, String type, String parameters) {
        /** Checks a target. */
        public Target {
            if (start < 0 || sectors < 1 || sectors > Long.MAX_VALUE - start) {
                throw new IllegalArgumentException("start: " + start + ", sectors: " + sectors);
            }
        }

        /** Returns a piece that lies on a device in the same order. */
        static Target linear(long start, long sectors, String numbers, long below) {
            return new Target(start, sectors, "linear", numbers + " " + below);
        }

        /** Returns a piece that reads as zeros, and that writes vanish in. */
        static Target zero(long start, long sectors) {
            return new Target(start, sectors, "zero", "");
        }

        /** Returns a piece that nobody can read or write. */
        static Target error(long start, long sectors) {
            return new Target(start, sectors, "error", "");
        }

        /** Returns the line that {@code dmsetup table} prints. */
        @Override
        public String toString() {
            return start + " " + sectors + " " + type + (parameters.isEmpty() ? "" : " " + parameters);
        }
    }

    /**
     * Makes a table.
     *
     * @throws IllegalArgumentException if there are no targets, or gaps between them
     */
    public DeviceTable(List<Target> targets) {
        long end = 0;
        for (Target target : targets) {
            if (target.start() != end) {
                throw new IllegalArgumentException("targets: one ends at sector " + end + ", the next is " + target);
            }
            end += target.sectors();
        }
        if (end == 0) {
            throw new IllegalArgumentException("targets: there are none");
        }
        this.targets = List.copyOf(targets);
    }

    /** Returns the targets. */
    public List<Target> targets() {
        return targets;
    }

    /** Returns the size of the device in bytes. */
    public long size() {
        Target last = targets.get(targets.size() - 1);
        return (last.start() + last.sectors()) * SECTOR;
    }

    @Override
    public boolean equals(Object other) {
        return other instanceof DeviceTable table && table.targets.equals(targets);
    }

    @Override
    public int hashCode() {
        return targets.hashCode();
    }

    /** Returns what {@code dmsetup table} prints, a line for each target. */
    @Override
    public String toString() {
        StringBuilder out = new StringBuilder();
        for (Target target : targets) {
            out.append(out.length() == 0 ? "" : "\n").append(target);
        }
        return out.toString();
    }
}
