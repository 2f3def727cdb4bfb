package dev.platter.nbd.client;

import java.util.concurrent.CompletableFuture;

/**
 * The end of an asynchronous request. It cannot be cancelled: a request that is sent is sent, and the buffer of a read is
 * the connection's until the reply is there.
 */
final class PendingRequest extends CompletableFuture<Void> {

    /** Does nothing. */
    @Override
    public boolean cancel(boolean mayInterruptIfRunning) {
        return false;
    }

    /** Ends as another future does. */
    @SuppressWarnings("FutureReturnValueIgnored") // Its failure is this one's.
    PendingRequest endingWith(CompletableFuture<Void> other) {
        other.whenComplete((nothing, failure) -> {
            if (failure == null) {
                complete(null);
            } else {
                completeExceptionally(failure);
            }
        });
        return this;
    }
}
