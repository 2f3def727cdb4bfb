"""What all measurements of dev/bench run commands and print rows with."""
import os, statistics, subprocess, sys, time

MIB, GIB = 1 << 20, 1 << 30
HEAP = "-Xmx64m"


def fail(message):
    sys.exit(f"dev/bench: {message}")


class Cost:
    """Seconds and MiB that a process took, children included."""

    def __init__(self, wall, cpu, peak):
        self.wall, self.cpu, self.peak = wall, cpu, peak


def run(command, env=None, stdout=subprocess.DEVNULL, ok=(0,), stdin=None):
    start = time.perf_counter()
    process = subprocess.Popen(command, stdout=stdout, stderr=subprocess.PIPE, stdin=stdin or subprocess.DEVNULL, env=env)
    try:
        error = process.stderr.read()
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
    finally:
        process.stderr.close()
        if process.returncode is None:
            process.kill()
            process.wait()
    if process.returncode not in ok:
        fail(f"{' '.join(command)}: exit {process.returncode}\n{error.decode(errors='replace')}")
    return Cost(time.perf_counter() - start, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024)


def output(command, **more):
    return subprocess.run(command, check=True, capture_output=True, text=True, **more).stdout


def spread(ratios):
    return f"{statistics.median(ratios):.2f} ({min(ratios):.2f} to {max(ratios):.2f})"


def amount(seconds):
    for unit, size in (("s", 1), ("ms", 1e-3), ("µs", 1e-6)):
        if seconds >= size:
            return f"{seconds / size:.3g} {unit}"
    return f"{seconds / 1e-9:.3g} ns"


def row(name, what, ours, theirs=None, ratios=None, note=""):
    print(f"| {name} | {what} | {ours} | {theirs or ''} | {spread(ratios) if ratios else ''} | {note} |", flush=True)
