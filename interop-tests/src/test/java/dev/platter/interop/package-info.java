/** What Platter answers, compared with what other programs answer. Start at {@link dev.platter.interop.CorpusAgreementTest}. */
@NullMarked
package dev.platter.interop;

import org.jspecify.annotations.NullMarked;
