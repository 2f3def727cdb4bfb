package dev.platter.qcow2;

import dev.platter.core.CorruptImageException;

/** A write would have hit metadata: the image is damaged, and writing on would make it worse. */
final class OverlapException extends CorruptImageException {
    private static final long serialVersionUID = 1;

    OverlapException(String message) {
        super(message);
    }
}
