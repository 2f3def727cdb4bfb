/** Races inside the qcow2 reader; beside it, so that its parts can be reached. */
@NullMarked
package dev.platter.qcow2;

import org.jspecify.annotations.NullMarked;
