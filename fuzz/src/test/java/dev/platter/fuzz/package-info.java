/** What the targets share. The targets themselves lie in the packages of the parsers that they fuzz. */
@NullMarked
package dev.platter.fuzz;

import org.jspecify.annotations.NullMarked;
