package dev.platter.benchmarks;

import java.io.IOException;
import java.lang.management.CompilationMXBean;
import java.lang.management.ManagementFactory;

/** Rehearsals, until the compilers have nothing left to do: what is called warm here. */
final class WarmUp {
    private static final CompilationMXBean COMPILER = ManagementFactory.getCompilationMXBean();

    /** Rehearsals in a row without compiling: a large method takes the compiler longer than one of them. */
    private static final int RESTS = 4;

    /** Rehearsals after which the measurement begins even if code is still compiled. */
    private static final int MOST = 60;

    /** What is measured, or a small part of it. */
    interface Rehearsal {
        void run() throws IOException;
    }

    private WarmUp() {}

    static void with(Rehearsal rehearsal) throws IOException {
        int rests = 0;
        for (int i = 0; i < MOST && rests < RESTS; i++) {
            long compiled = COMPILER.getTotalCompilationTime();
            rehearsal.run();
            rests = COMPILER.getTotalCompilationTime() > compiled ? 0 : rests + 1;
        }
    }
}
