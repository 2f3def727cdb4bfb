/** Runs the races. */
@NullMarked
package dev.platter.stress;

import org.jspecify.annotations.NullMarked;
