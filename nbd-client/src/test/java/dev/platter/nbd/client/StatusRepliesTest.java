package dev.platter.nbd.client;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.platter.nbd.protocol.ProtocolException;
import org.junit.jupiter.api.Test;

class StatusRepliesTest {

    private static StatusReplies replies(int wanted, int contexts, boolean one) {
        StatusReplies replies = new StatusReplies(wanted, contexts, one);
        replies.clear(1000, 5000);
        return replies;
    }

    @Test
    void onlyTheContextThatIsWantedIsKept() throws ProtocolException {
        StatusReplies replies = replies(1, 2, false);
        replies.begin(0);
        replies.add(1000, 7);
        assertThat(replies.isComplete()).isFalse();
        replies.begin(1);
        replies.add(400, 1);
        replies.add(600, 2);

        assertThat(replies.isComplete()).isTrue();
        assertThat(replies.count()).isEqualTo(2);
        assertThat(replies.length(1)).isEqualTo(600);
        assertThat(replies.flags(1)).isEqualTo(2);
    }

    @Test
    void lastRangeMayReachBehindTheRequestButNotBehindTheExport() throws ProtocolException {
        StatusReplies replies = replies(0, 1, false);
        replies.begin(0);
        replies.add(999, 0);
        replies.add(Long.MAX_VALUE, 1);

        assertThat(replies.length(1)).isEqualTo(5000 - 999);
    }

    @Test
    void rangeBehindTheRequestIsRefused() throws ProtocolException {
        StatusReplies replies = replies(0, 1, false);
        replies.begin(0);
        replies.add(1000, 0);

        assertThatThrownBy(() -> replies.add(1, 0)).isInstanceOf(ProtocolException.class);
    }

    @Test
    void rangesOfNoBytesAndOfTooManyAreRefused() throws ProtocolException {
        StatusReplies replies = replies(0, 1, false);
        replies.begin(0);

        assertThatThrownBy(() -> replies.add(0, 0)).isInstanceOf(ProtocolException.class);
        assertThatThrownBy(() -> replies.add(-1, 0))
                .isInstanceOf(ProtocolException.class)
                .hasMessageContaining("18446744073709551615");
    }

    @Test
    void contextThatComesTwiceIsRefused() throws ProtocolException {
        StatusReplies replies = replies(0, 2, false);
        replies.begin(1);

        assertThatThrownBy(() -> replies.begin(1)).isInstanceOf(ProtocolException.class);
    }

    @Test
    void whereOneRangeWasAskedForThereIsOneThatDoesNotReachBehindTheRequest() throws ProtocolException {
        StatusReplies replies = replies(0, 1, true);
        replies.begin(0);

        assertThatThrownBy(() -> replies.add(1001, 0)).isInstanceOf(ProtocolException.class);
        replies.add(10, 0);
        assertThatThrownBy(() -> replies.add(10, 0)).isInstanceOf(ProtocolException.class);
    }

    @Test
    void manyRangesAreKept() throws ProtocolException {
        StatusReplies replies = new StatusReplies(0, 64, false);
        replies.clear(100_000, 100_000);
        replies.begin(0);
        for (int i = 0; i < 100_000; i++) {
            replies.add(1, i);
        }

        assertThat(replies.count()).isEqualTo(100_000);
        assertThat(replies.flags(99_999)).isEqualTo(99_999);
        replies.clear(1, 1);
        assertThat(replies.count()).isZero();
    }
}
