package dev.platter.filesystem;

/**
 * A signature that was found beside others that contradict it.
 *
 * @param type the type it speaks for, in the words of {@code blkid}
 * @param offset byte offset of the magic in the volume; wiping it there removes the contradiction
 */
public record Signature(String type, long offset) {

    @Override
    public String toString() {
        return type + " at " + offset;
    }
}
