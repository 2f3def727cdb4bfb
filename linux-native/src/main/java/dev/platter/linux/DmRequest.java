package dev.platter.linux;

import com.sun.jna.Memory;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;

/**
 * The buffer of a request to device-mapper and of its answer, which the kernel writes over it: {@code struct dm_ioctl}, and
 * behind it targets or lists. In the byte order of the machine. Source: linux/dm-ioctl.h.
 */
final class DmRequest {
    static final int HEAD_BYTES = 312;
    static final int TARGET_BYTES = 40;

    static final int READONLY = 1;
    static final int STATUS_TABLE = 0x10;
    static final int BUFFER_FULL = 0x100;

    private static final int DATA_SIZE = 12;
    private static final int DATA_START = 16;
    private static final int TARGET_COUNT = 20;
    private static final int FLAGS = 28;
    private static final int EVENT_NUMBER = 32;
    private static final int DEVICE = 40;
    private static final int NAME = 48;
    private static final int NAME_BYTES = 128;
    private static final int UUID = 176;
    private static final int UUID_BYTES = 129;

    private static final int TARGET_NEXT = 20;
    private static final int TARGET_TYPE = 24;
    private static final int TARGET_TYPE_BYTES = 16;

    private final byte[] array;
    private final ByteBuffer bytes;

    private DmRequest(int size) {
        array = new byte[size];
        bytes = ByteBuffer.wrap(array).order(ByteOrder.nativeOrder());
        bytes.putInt(0, 4);
        bytes.putInt(DATA_SIZE, size);
        bytes.putInt(DATA_START, HEAD_BYTES);
    }

    /**
     * Begins a request.
     *
     * @param name of a device; empty for none
     * @param room bytes for the answer
     */
    static DmRequest of(String name, int room) {
        DmRequest request = new DmRequest(HEAD_BYTES + room);
        request.putText(NAME, NAME_BYTES, name);
        return request;
    }

    /** Begins a request that carries a table. */
    static DmRequest of(String name, DeviceTable table) {
        int size = HEAD_BYTES;
        for (DeviceTable.Target target : table.targets()) {
            size += targetBytes(target);
        }
        DmRequest request = new DmRequest(size);
        request.putText(NAME, NAME_BYTES, name);
        request.bytes.putInt(TARGET_COUNT, table.targets().size());
        int at = HEAD_BYTES;
        for (DeviceTable.Target target : table.targets()) {
            int length = targetBytes(target);
            request.bytes.putLong(at, target.start());
            request.bytes.putLong(at + Long.BYTES, target.sectors());
            request.bytes.putInt(at + TARGET_NEXT, length);
            request.putText(at + TARGET_TYPE, TARGET_TYPE_BYTES, target.type());
            request.putText(at + TARGET_BYTES, length - TARGET_BYTES, target.parameters());
            at += length;
        }
        return request;
    }

    private static int targetBytes(DeviceTable.Target target) {
        int text = target.parameters().getBytes(StandardCharsets.UTF_8).length + 1;
        return TARGET_BYTES + ((text + 7) & ~7);
    }

    private void putText(int at, int room, String text) {
        byte[] utf8 = text.getBytes(StandardCharsets.UTF_8);
        if (utf8.length >= room) {
            throw new IllegalArgumentException(text + ": has more than " + (room - 1) + " bytes");
        }
        bytes.put(at, utf8);
    }

    DmRequest uuid(String uuid) {
        putText(UUID, UUID_BYTES, uuid);
        return this;
    }

    DmRequest flags(int flags) {
        bytes.putInt(FLAGS, flags);
        return this;
    }

    /** Sets what the kernel passes on to udev. */
    DmRequest eventNumber(int number) {
        bytes.putInt(EVENT_NUMBER, number);
        return this;
    }

    Memory toMemory() {
        return NativeSocket.copy(bytes);
    }

    /** Takes the answer that the kernel left. */
    void answered(Memory memory) {
        memory.read(0, array, 0, array.length);
    }

    byte[] bytes() {
        return array;
    }

    boolean isFull() {
        return (bytes.getInt(FLAGS) & BUFFER_FULL) != 0;
    }

    /** Returns the minor number of the device. */
    int minor() {
        long device = bytes.getLong(DEVICE);
        return (int) ((device & 0xff) | ((device >> 12) & 0xfff00));
    }

    String deviceUuid() {
        return text(UUID, UUID_BYTES);
    }

    /** Returns the targets in the answer. */
    List<DeviceTable.Target> targets() {
        List<DeviceTable.Target> targets = new ArrayList<>();
        int start = bytes.getInt(DATA_START);
        int at = start;
        for (int i = bytes.getInt(TARGET_COUNT); i > 0 && at + TARGET_BYTES <= bytes.limit(); i--) {
            targets.add(new DeviceTable.Target(
                    bytes.getLong(at),
                    bytes.getLong(at + Long.BYTES),
                    text(at + TARGET_TYPE, TARGET_TYPE_BYTES),
                    text(at + TARGET_BYTES, bytes.limit() - at - TARGET_BYTES)));
            // of an answer, unlike of a request, this counts from the start of all
            at = start + bytes.getInt(at + TARGET_NEXT);
        }
        return targets;
    }

    /**
     * Returns the texts of a list in the answer.
     *
     * @param next where in an entry the distance to the next one is; 0 ends the list
     * @param text where in an entry its text is
     */
    List<String> list(int next, int text) {
        List<String> texts = new ArrayList<>();
        int at = bytes.getInt(DATA_START);
        while (at >= HEAD_BYTES && at + text < bytes.limit()) {
            String found = text(at + text, bytes.limit() - at - text);
            int distance = bytes.getInt(at + next);
            if (found.isEmpty()) {
                break;
            }
            texts.add(found);
            if (distance <= 0) {
                break;
            }
            at += distance;
        }
        return texts;
    }

    private String text(int at, int room) {
        int length = 0;
        while (length < room && bytes.get(at + length) != 0) {
            length++;
        }
        return new String(array, at, length, StandardCharsets.UTF_8);
    }
}
