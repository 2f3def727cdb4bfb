package dev.platter.cli;

import dev.platter.core.BlockDevice;
import dev.platter.core.Extent;
import dev.platter.core.ExtentVisitor;
import dev.platter.core.ForwardingDevice;
import java.io.IOException;
import java.io.InterruptedIOException;
import java.nio.ByteBuffer;
import java.nio.channels.ClosedChannelException;

/** Reads zeros where a sector cannot be read, and says so. Safe for several threads. */
final class SalvagingDevice extends ForwardingDevice {
    private static final int SECTOR = 512;
    private static final int MOST_MESSAGES = 100;
    private static final long UNMAPPED_STEP = 64 << 10;

    private final Arguments arguments;
    private final Stdio io;
    private long lost;

    SalvagingDevice(BlockDevice device, Arguments arguments, Stdio io) {
        super(device);
        this.arguments = arguments;
        this.io = io;
    }

    @Override
    public void read(long offset, ByteBuffer into) throws IOException {
        int from = into.position();
        int length = into.remaining();
        try {
            device.read(offset, into);
            return;
        } catch (ClosedChannelException | InterruptedIOException e) {
            throw e;
        } catch (IOException e) {
            // sector by sector, below
            into.position(from);
        }
        for (int at = 0; at < length; ) {
            int run = Math.min(length - at, SECTOR - (int) ((offset + at) % SECTOR));
            readSector(offset + at, into.slice(from + at, run));
            at += run;
        }
        into.position(from + length);
    }

    private void readSector(long offset, ByteBuffer sector) throws IOException {
        try {
            device.read(offset, sector);
        } catch (ClosedChannelException | InterruptedIOException e) {
            throw e;
        } catch (IOException e) {
            sector.clear();
            while (sector.hasRemaining()) {
                sector.put((byte) 0);
            }
            tell(offset, e);
        }
    }

    private synchronized void tell(long offset, IOException e) {
        lost++;
        if (lost <= MOST_MESSAGES && !arguments.has("--quiet")) {
            io.warning("zeros instead of the sector at " + offset + ": " + Failures.text(e));
        }
    }

    /** Says how much was lost, if there are more sectors than there were messages. */
    synchronized void finish() {
        if (lost > MOST_MESSAGES && !arguments.has("--quiet")) {
            io.warning("there are zeros instead of " + lost + " sectors in all");
        }
    }

    /** What cannot be told is data: reading it shows what of it can be read. */
    @Override
    public void extents(long offset, long length, ExtentVisitor visitor) throws IOException {
        long end = offset + length;
        long[] at = {offset};
        boolean[] goOn = {true};
        while (goOn[0] && at[0] < end) {
            try {
                device.extents(at[0], end - at[0], (from, run, facts, depth, below, belowOffset) -> {
                    at[0] = from + run;
                    goOn[0] = visitor.extent(from, run, facts, depth, below, belowOffset);
                    return goOn[0];
                });
                return;
            } catch (ClosedChannelException | InterruptedIOException e) {
                throw e;
            } catch (IOException e) {
                long run = Math.min(end - at[0], UNMAPPED_STEP);
                goOn[0] = visitor.extent(at[0], run, Extent.ALLOCATED, 0, null, -1);
                at[0] += run;
            }
        }
    }
}
