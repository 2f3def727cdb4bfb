package dev.platter.nbd.client;

import dev.platter.nbd.protocol.Commands;
import dev.platter.nbd.protocol.NbdError;
import java.io.IOException;
import java.lang.invoke.MethodHandles;
import java.lang.invoke.VarHandle;
import java.nio.ByteBuffer;
import java.util.concurrent.locks.LockSupport;
import org.jspecify.annotations.Nullable;

/**
 * A request on its way, used again and again for the slot that it has in {@link Slots}. Three sides meet here: the thread
 * that asks, the one that reads replies, and the one that watches the time.
 *
 * <p>The buffer of a read belongs to the thread that asked. The reader holds it ({@link #hold}) only while bytes that are
 * there already are put into it, never while it waits for bytes. So an interrupted thread can always leave: afterwards
 * nothing is written to its buffer, and the rest of the reply is thrown away when it comes.
 */
final class Request implements WireInput.Target {
    private static final VarHandle STATE;

    /** The reply is to come. */
    private static final int WAITING = 0;
    /** The reader puts bytes into the buffer. */
    private static final int HELD = 1;
    /** The thread that asked has left; the reader gives the slot back when the reply is complete. */
    private static final int LEFT = 2;
    /** The reply is complete, or will never be. */
    private static final int DONE = 3;

    static {
        try {
            STATE = MethodHandles.lookup().findVarHandle(Request.class, "state", int.class);
        } catch (ReflectiveOperationException e) {
            throw new ExceptionInInitializerError(e);
        }
    }

    private static final ByteBuffer ZEROS = ByteBuffer.allocateDirect(64 << 10).asReadOnlyBuffer();

    /** Takes the end of a request for which no thread waits. */
    @FunctionalInterface
    interface End {
        /** Takes the end, in the thread that reads replies, which must not wait; null for a good one. */
        void ended(@Nullable IOException failure);
    }

    final int slot;
    final ReadCoverage coverage = new ReadCoverage();

    private volatile int state = DONE;
    private volatile long deadline;

    private long cookie;
    private int flags;
    private int type;
    private long offset;
    private long length;
    private @Nullable ByteBuffer target;
    private int targetStart;
    private boolean direct;
    private @Nullable StatusReplies status;
    private @Nullable Thread waiter;
    private @Nullable End end;

    // Written by the reader alone until the request is done.
    private @Nullable NbdError error;
    private String errorText = "";
    private int errorChunks;
    private int contentChunks;
    private boolean lost;

    Request(int slot) {
        this.slot = slot;
    }

    /**
     * Makes this the request that the reader finds by {@code cookie}.
     *
     * @param data where the bytes of a read go, from its position to its limit; ignored for other commands
     * @param end what is told of the outcome, or null if the calling thread waits for it
     */
    void begin(
            long cookie,
            int flags,
            int type,
            long offset,
            long length,
            @Nullable ByteBuffer data,
            @Nullable StatusReplies status,
            @Nullable End end) {
        this.cookie = cookie;
        this.flags = flags;
        this.type = type;
        this.offset = offset;
        this.length = length;
        this.target = type == Commands.READ ? data : null;
        this.targetStart = data == null ? 0 : data.position();
        this.direct = data != null && data.isDirect();
        this.status = status;
        this.end = end;
        this.waiter = end == null ? Thread.currentThread() : null;
        this.error = null;
        this.errorText = "";
        this.errorChunks = 0;
        this.contentChunks = 0;
        this.lost = false;
        this.deadline = 0;
        coverage.clear();
        state = WAITING;
    }

    /** Sets when the reply has to be complete; 0 for no limit, as long as the request is not being sent. */
    void expectBy(long nanoTime) {
        deadline = nanoTime;
    }

    /** Waits until the reply is complete; returns whether it is, or the thread was interrupted and has left. */
    boolean await() {
        while (state != DONE) {
            if (Thread.currentThread().isInterrupted()) {
                return !leave();
            }
            LockSupport.park(this);
        }
        return true;
    }

    /** Gives the request up; returns whether that was still possible. */
    private boolean leave() {
        while (!STATE.compareAndSet(this, WAITING, LEFT)) {
            if (state == DONE) {
                return false;
            }
            Thread.onSpinWait();
        }
        return true;
    }

    /** Ends the request; returns whether the slot is now the caller's to give back. */
    boolean finish() {
        // Read before: whoever waits may be gone, and the slot another's, as soon as the request is done.
        Thread waiting = waiter;
        if (!STATE.compareAndSet(this, WAITING, DONE)) {
            return state == LEFT && STATE.compareAndSet(this, LEFT, DONE);
        }
        if (waiting != null) {
            LockSupport.unpark(waiting);
            return false;
        }
        return true;
    }

    /** Ends the request because its connection is gone; returns whether the slot is now the caller's to give back. */
    boolean lose() {
        if (state == DONE) {
            return false;
        }
        lost = true;
        return finish();
    }

    /** Returns whether a reply is to come. Whoever asks may read the fields afterwards. */
    boolean isInFlight() {
        return state != DONE;
    }

    /** Returns whether the time of a request that waits for its reply is over. */
    boolean isOverdue(long now) {
        return state != DONE && deadline != 0 && now - deadline > 0;
    }

    /** Takes the buffer, until {@link #release}; returns false if nobody wants the bytes any more. */
    private boolean hold() {
        return STATE.compareAndSet(this, WAITING, HELD);
    }

    private void release() {
        state = WAITING;
    }

    @Override
    public void put(int at, ByteBuffer bytes) {
        ByteBuffer into = target;
        if (into != null && hold()) {
            try {
                into.put(targetStart + at, bytes, bytes.position(), bytes.remaining());
            } finally {
                release();
            }
        }
        bytes.position(bytes.limit());
    }

    @Override
    public int readNow(int at, int length, SocketStream socket) throws IOException {
        ByteBuffer into = target;
        if (into == null || !direct || !hold()) {
            return WireInput.NOT_DIRECTLY;
        }
        int limit = into.limit();
        try {
            into.limit(targetStart + at + length).position(targetStart + at);
            return socket.readNow(into);
        } finally {
            into.limit(limit);
            release();
        }
    }

    /** Puts zeros. */
    void zero(int at, int count) {
        for (int done = 0; done < count; ) {
            ByteBuffer zeros = ZEROS.duplicate();
            zeros.limit(Math.min(zeros.capacity(), count - done));
            int run = zeros.remaining();
            put(at + done, zeros);
            done += run;
        }
    }

    /** Notes what the server says went wrong; the first of several counts. Returns how often it has. */
    int fail(NbdError code, String text) {
        if (error == null) {
            error = code;
            errorText = text;
        }
        return ++errorChunks;
    }

    /** Counts a chunk with contents; returns how many there are. */
    int countContents() {
        return ++contentChunks;
    }

    boolean isLost() {
        return lost;
    }

    @Nullable
    NbdError error() {
        return error;
    }

    String errorText() {
        return errorText;
    }

    long cookie() {
        return cookie;
    }

    int flags() {
        return flags;
    }

    int type() {
        return type;
    }

    long offset() {
        return offset;
    }

    long length() {
        return length;
    }

    @Nullable
    StatusReplies status() {
        return status;
    }

    @Nullable
    End end() {
        return end;
    }

    /** Lets go of what belongs to the one that asked. */
    void forget() {
        target = null;
        status = null;
        end = null;
        waiter = null;
    }

    /** Returns what was asked, in words for a person. */
    @Override
    public String toString() {
        return describe(type, offset, length);
    }

    static String describe(int type, long offset, long length) {
        return switch (type) {
            case Commands.FLUSH -> "flush";
            case Commands.READ -> "read of " + length + " at " + offset;
            case Commands.WRITE -> "write of " + length + " at " + offset;
            case Commands.TRIM -> "discard of " + length + " at " + offset;
            case Commands.WRITE_ZEROES -> "zeroing of " + length + " at " + offset;
            default -> Commands.name(type) + " of " + length + " at " + offset;
        };
    }
}
