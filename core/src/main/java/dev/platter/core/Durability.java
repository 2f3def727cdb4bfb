package dev.platter.core;

/** When a write counts as done. */
public enum Durability {
    /** When a later read sees it; it may be lost with the power until the next flush. */
    NONE,
    /** When it is on stable storage ("force unit access"). */
    FUA
}
