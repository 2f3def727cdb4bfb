package dev.platter.qcow2;

import dev.platter.core.CorruptImageException;
import dev.platter.core.DiskImageException;
import dev.platter.core.LimitExceededException;
import dev.platter.core.ReferenceRefusedException;
import dev.platter.core.UnsupportedFeatureException;

/** Throws a problem that was found earlier once more, with its type, its words and a stack of its own. */
final class Problems {

    private Problems() {}

    static DiskImageException copy(DiskImageException problem) {
        String message = String.valueOf(problem.getMessage());
        if (problem instanceof ReferenceRefusedException) {
            return new ReferenceRefusedException(message, problem);
        }
        if (problem instanceof UnsupportedFeatureException) {
            return new UnsupportedFeatureException(message, problem);
        }
        if (problem instanceof LimitExceededException) {
            return new LimitExceededException(message, problem);
        }
        if (problem instanceof CorruptImageException) {
            return new CorruptImageException(message, problem);
        }
        return new DiskImageException(message, problem);
    }
}
