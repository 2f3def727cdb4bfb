package dev.platter.linux;

import java.lang.annotation.ElementType;
import java.lang.annotation.Retention;
import java.lang.annotation.RetentionPolicy;
import java.lang.annotation.Target;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.condition.EnabledIfEnvironmentVariable;

/**
 * Tests that need a kernel with nbd and device-mapper, a /dev that nobody else uses, and LVM that is theirs alone: those of
 * the virtual machine that {@code dev/test-guest} starts.
 */
@Tag("guest")
@EnabledIfEnvironmentVariable(
        named = "PLATTER_GUEST",
        matches = "1",
        disabledReason = "runs in a virtual machine: dev/test-guest")
@Target(ElementType.TYPE)
@Retention(RetentionPolicy.RUNTIME)
@interface GuestTest {}
