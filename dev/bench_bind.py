"""The measurements of dev/bench that make devices of the kernel, beside losetup, qemu-storage-daemon, nbdfuse and qemu-nbd.

They need root and loop devices; those of /dev/nbdN a kernel with nbd, which dev/guest has. What is made is taken away again,
whatever happens.
"""
import contextlib, json, os, shutil, statistics, subprocess, tempfile, time

from bench_measuring import HEAP, amount, fail, output, row, run
from bench_servers import content, cpu_of

TOOLS = {"losetup": "mount", "fio": "fio", "qemu-storage-daemon": "qemu-system-common", "nbdfuse": "libnbd-bin"}
VERSIONS = ("losetup", "qemu-storage-daemon", "nbdfuse")
BLOCK = 4096


def possible(name, *needed, devices="loop-control"):
    lacking = [tool for tool in needed if not shutil.which(tool)]
    if os.geteuid() or not os.access(f"/dev/{devices}", os.W_OK):
        lacking.append(f"root with /dev/{devices}")
    if lacking:
        row(name, "", "", f"missing here: {', '.join(lacking)}")
    return not lacking


def detach(loop):
    run(["losetup", "--detach", loop])
    while os.path.exists(f"/sys/block/{os.path.basename(loop)}/loop"):
        time.sleep(0.005)


def attached(*options):
    return output(["losetup", "--find", "--show", *options]).strip()


# ---- loop devices on raw images ----

def bind_loop(bench):
    """from a closed raw image to the first bytes of its device and its partitions, JVM started, beside losetup -P"""
    if not possible("bind-loop", "losetup"):
        return
    image = bench.image("partitioned.raw", lambda path: run(
        ["qemu-img", "convert", "-O", "raw", os.path.join(bench.root, "examples/images/lvm-guest.qcow2"), path]))
    theirs = []
    for _ in range(3 * bench.rounds):
        start = time.perf_counter()
        loop = attached("--read-only", "-P", image)
        with open(loop, "rb", buffering=0) as device:
            device.read(BLOCK)
        theirs.append(time.perf_counter() - start)
        detach(loop)
    command = [f"{bench.java}/bin/java", HEAP, "-XX:+UseSerialGC", "--enable-native-access=ALL-UNNAMED", "-cp", bench.jar,
               "dev.platter.benchmarks.BindInProcess"]
    firsts = [float(output([*command, "0", image])) for _ in range(bench.rounds)]
    again = [float(line) for line in output([*command, str(3 * bench.rounds), image]).split()][1:]
    peer = statistics.median(theirs)
    row("bind-loop", "first of a JVM", amount(statistics.median(firsts)), amount(peer), [b / a for a, b in zip(firsts, theirs)])
    row("bind-loop", "warm", amount(statistics.median(again)), amount(peer), [b / a for a, b in zip(again, theirs)])


# ---- devices that a process serves ----

class Served:
    """A device of the kernel, and the process that serves it."""

    def __init__(self, device, process):
        self.device, self.process = device, process


@contextlib.contextmanager
def ours(bench, image, how):
    with tempfile.TemporaryDirectory(prefix="platter-bench-") as folder:
        tag = os.path.basename(folder)
        lines = output([bench.platter, "bind", "-q", "--fork", "--pid-file", f"{folder}/pid", "--tag", tag, "--as", how,
                        "-f", "qcow2", image], env=bench.env).splitlines()
        try:
            yield Served(lines[0].split()[0], int(content(f"{folder}/pid")))
        finally:
            run([bench.platter, "unbind", tag], bench.env)


@contextlib.contextmanager
def on_file(file, process):
    """A loop device on a served file, without a second cache, as ours is."""
    loop = attached("--read-only", "--direct-io=on", file)
    try:
        yield Served(loop, process)
    finally:
        detach(loop)


@contextlib.contextmanager
def storage_daemon(image):
    with tempfile.TemporaryDirectory(prefix="platter-bench-") as folder:
        file = f"{folder}/disk"
        open(file, "w").close()
        run(["qemu-storage-daemon", "--daemonize", "--pidfile", f"{folder}/pid",
             "--blockdev", f"file,node-name=file,filename={image},read-only=on",
             "--blockdev", "qcow2,node-name=disk,file=file,read-only=on",
             "--export", f"fuse,id=disk,node-name=disk,mountpoint={file}"])
        process = int(content(f"{folder}/pid"))
        try:
            with on_file(file, process) as served:
                yield served
        finally:
            ended(process)
            # on the way out it may leave the mount of its file behind
            subprocess.run(["umount", file], stderr=subprocess.DEVNULL)


@contextlib.contextmanager
def nbdfuse(image):
    with tempfile.TemporaryDirectory(prefix="platter-bench-") as folder:
        file = f"{folder}/disk"
        open(file, "w").close()
        child = subprocess.Popen(["nbdfuse", "-r", file, "--socket-activation", "qemu-nbd", "-r", "-f", "qcow2", image],
                                 stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        try:
            end = time.monotonic() + 20
            while not os.path.getsize(file):
                if child.poll() is not None or time.monotonic() > end:
                    fail("nbdfuse does not start")
                time.sleep(0.005)
            with on_file(file, None) as served:
                yield served
        finally:
            subprocess.run(["umount", file], stderr=subprocess.DEVNULL)
            child.wait(20)


def ended(process):
    os.kill(process, 15)
    while os.path.exists(f"/proc/{process}"):
        time.sleep(0.005)


@contextlib.contextmanager
def kernel_nbd(image):
    """qemu-nbd -c, which picks no device by itself."""
    device = next(f"/dev/nbd{i}" for i in range(16) if not os.path.exists(f"/sys/block/nbd{i}/pid"))
    with tempfile.TemporaryDirectory(prefix="platter-bench-") as folder:
        child = subprocess.Popen(["qemu-nbd", "-v", "-r", "-f", "qcow2", "--pid-file", f"{folder}/pid", "-c", device, image],
                                 stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        try:
            end = time.monotonic() + 60
            while not int(content(f"/sys/block/{os.path.basename(device)}/size") or 0):
                if child.poll() is not None or time.monotonic() > end:
                    fail("qemu-nbd -c does not start")
                time.sleep(0.01)
            yield Served(device, child.pid)
        finally:
            run(["qemu-nbd", "-d", device])
            child.wait(60)


def fio(served, pattern, block, depth, seconds):
    """Operations in a second by fio past the page cache, and CPU of the serving process for each."""
    before = cpu_of(served.process) if served.process else 0
    text = output(["fio", "--name=device", f"--filename={served.device}", "--ioengine=libaio", "--direct=1", "--readonly",
                   f"--rw={pattern}", f"--bs={block}", f"--iodepth={depth}", f"--runtime={seconds}", "--time_based",
                   "--output-format=json"])
    job = json.JSONDecoder().raw_decode(text, text.index("{"))[0]["jobs"][0]
    if job["error"] or not job["read"]["total_ios"]:
        fail(f"fio on {served.device}: error {job['error']}")
    spent = cpu_of(served.process) - before if served.process else None
    return {"iops": job["read"]["iops"], "cpu": spent and spent / job["read"]["total_ios"]}


def compare(bench, name, sides):
    """Runs fio on the device of each side in turn, and prints ours beside the best of the others."""
    for what, pattern, block, depth in (("4 KiB random read, depth 32", "randread", "4k", 32),
                                        ("1 MiB read in order, depth 4", "read", "1M", 4)):
        rounds = [{side: fio(served, pattern, block, depth, bench.seconds) for side, served in sides.items()}
                  for _ in range(-1, bench.rounds)][1:]
        for measure, label in (("iops", "IOPS"), ("cpu", "CPU of the process for an operation")):
            medians = {side: statistics.median(answers[side][measure] for answers in rounds)
                       for side in sides if rounds[0][side][measure] is not None}
            others = {side: median for side, median in medians.items() if side != "ours"}
            more = measure == "iops"
            best = (max if more else min)(others, key=others.get)
            ratios = [answers["ours"][measure] / answers[best][measure] for answers in rounds]
            show = (lambda number: f"{number:.0f}") if more else amount
            row(name, f"{what}, {label}{' (ours ÷ peer)' if more else ''}, beside {best}", show(medians["ours"]),
                show(others[best]), ratios if more else [1 / ratio for ratio in ratios],
                ", ".join(f"{side} {show(median)}" for side, median in others.items() if side != best))


def bind_fuse(bench):
    """fio on the loop device of a qcow2 image by FUSE, beside qemu-storage-daemon's FUSE export and nbdfuse"""
    if not possible("bind-fuse", "fio", "qemu-storage-daemon", "nbdfuse", "losetup"):
        return
    image = bench.sequential(bench.size)
    with ours(bench, image, "fuse") as mine, storage_daemon(image) as daemon, nbdfuse(image) as fuse:
        compare(bench, "bind-fuse", {"ours": mine, "qemu-storage-daemon": daemon, "nbdfuse with qemu-nbd": fuse})


def bind_nbd(bench):
    """fio on /dev/nbdN of a qcow2 image, beside qemu-nbd -c; where the kernel has nbd (dev/guest)"""
    if shutil.which("modprobe"):
        subprocess.run(["modprobe", "nbd"], stderr=subprocess.DEVNULL)
    if not possible("bind-nbd", "fio", "qemu-nbd", devices="nbd0"):
        return
    image = bench.sequential(bench.size)
    with ours(bench, image, "nbd") as mine, kernel_nbd(image) as theirs:
        compare(bench, "bind-nbd", {"ours": mine, "qemu-nbd -c": theirs})


MEASUREMENTS = {"bind-loop": bind_loop, "bind-fuse": bind_fuse, "bind-nbd": bind_nbd}
