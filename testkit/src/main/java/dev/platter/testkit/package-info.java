/**
 * What tests share. Start at {@link dev.platter.testkit.BlockDeviceContract}, {@link dev.platter.testkit.Corpus} and
 * {@link dev.platter.testkit.ReferenceTools}.
 */
@NullMarked
package dev.platter.testkit;

import org.jspecify.annotations.NullMarked;
