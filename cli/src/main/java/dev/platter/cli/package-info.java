/**
 * The command {@code platter}: options in, text or JSON out, exit codes. Start at {@link dev.platter.cli.Main}.
 */
@NullMarked
package dev.platter.cli;

import org.jspecify.annotations.NullMarked;
