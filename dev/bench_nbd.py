"""The measurements of dev/bench that serve disks over NBD, beside qemu-nbd and nbdkit, or copy from them.

CPU is user and system time of all threads of the server's process. In a round each server is asked the same once, one
after the other, by the same client. The peer of a row is the best of the others; its last column has the medians of the
rest. qemu-nbd with aio=native is there too, but never the peer: it goes past the page cache, which is something else.
"""
import contextlib, filecmp, json, os, resource, shutil, signal, socket, statistics, struct, subprocess, tempfile, time

from bench_measuring import HEAP, MIB, amount, fail, row, run
from bench_servers import NATIVE, NotStarted, Server, cpu_of, die_with_parent, missing, serving, sides

LIMIT = 900  # seconds that one command may take
CLIENTS = 1000
TOOLS = {"qemu-nbd": "qemu-utils", "nbdcopy": "libnbd-bin", "nbdinfo": "libnbd-bin", "nbdkit": "nbdkit", "fio": "fio",
         "certtool": "gnutls-bin", "psktool": "gnutls-bin"}
VERSIONS = ("nbdkit", "nbdcopy", "fio")


# ---- what clients ask, and what that costs ----

@contextlib.contextmanager
def deadline(what):
    def late(*_):
        fail(f"{what}: no end after {LIMIT} s")
    before = signal.signal(signal.SIGALRM, late)
    signal.alarm(LIMIT)
    try:
        yield
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)


def asked(server, command, env=None, **more):
    """What a client's command costs: CPU of the server, and wall time."""
    with deadline(f"{' '.join(command)} ({server.side.name})"):
        before = server.cpu()
        cost = run(command, env, **more)
        return {"cpu": server.cpu() - before, "wall": cost.wall}


def copied(server, env=None):
    return asked(server, ["nbdcopy", server.uri, "null:"], env)


def fio(server, pattern, block, depth, seconds):
    """CPU of an operation, operations in a second, and the median of their times, as fio counts them."""
    command = ["fio", "--name=nbd", "--ioengine=nbd", f"--uri={server.uri}", f"--rw={pattern}", f"--bs={block}",
               f"--iodepth={depth}", f"--runtime={seconds}", "--time_based", "--thread", "--output-format=json"]
    with tempfile.TemporaryFile("w+") as out:
        cost = asked(server, command, stdout=out)
        out.seek(0)
        text = out.read()
    job = json.JSONDecoder().raw_decode(text, text.index("{"))[0]["jobs"][0]  # messages stand around it
    done = job["write" if "write" in pattern else "read"]
    if job["error"] or not done["total_ios"]:
        fail(f"{' '.join(command)} ({server.side.name}): error {job['error']}, {done['total_ios']} operations")
    return {"cpu": cost["cpu"] / done["total_ios"], "iops": done["iops"],
            "p50": done["clat_ns"]["percentile"]["50.000000"] / 1e9}


def in_turn(bench, running, ask, warm_ups):
    """Asks each server in turn; the answers of each round, by the name of the side."""
    rounds = []
    for turn in range(-warm_ups, bench.rounds):
        answers = {name: ask(server) for name, server in running.items()}
        if turn >= 0:
            rounds.append(answers)
    return rounds


# ---- rows ----

def count(number):
    return f"{number:.0f}"


def compare(name, what, rounds, measure, show=amount, more_is_better=False, beside="", note=""):
    """Prints a row of a measure: ours beside the best of the others, or of those whose names begin with what is stated."""
    medians = {side: statistics.median(answers[side][measure] for answers in rounds) for side in rounds[0]}
    others = {side: median for side, median in medians.items() if side != "ours"}
    eligible = [side for side in others if side != NATIVE and side.startswith(beside)]
    best = (max if more_is_better else min)(eligible, key=others.get)
    ratios = [answers["ours"][measure] / answers[best][measure] for answers in rounds]
    if not more_is_better:
        ratios = [1 / ratio for ratio in ratios]
    rest = ", ".join(f"{side} {show(median)}" for side, median in others.items() if side != best)
    better = " (ours ÷ peer)" if more_is_better else ""
    row(name, f"{what}{better}, beside {best}", show(medians["ours"]), show(medians[best]), ratios,
        "; ".join(text for text in (note, rest) if text))


def commands(name, bench, client, **more):
    """Prints what was run."""
    ours, *others = (f"`{side.shown(**more)}`" for side in sides(bench))
    row(name, "commands", ours, ", ".join(others), note=client)


def tools(name, *needed):
    lacking = [tool for tool in needed if not shutil.which(tool)]
    if lacking:
        row(name, "", "", f"not installed here: {', '.join(lacking)}")
    return not lacking


def image(bench, kind):
    """The file of an image, and its format. The bytes of all of them are the same."""
    if kind == "raw":
        return bench.raw(bench.size), "raw"
    return (bench.fragmented if kind == "qcow2 fragmented" else bench.sequential)(bench.size), "qcow2"


def prepare(bench):
    """Lets the launcher build what it starts from, so that no measurement waits for it."""
    run([bench.platter, "--version"], bench.env)


# ---- the measurements ----

def nbd_read(bench):
    """nbdcopy of all bytes to nowhere by a Unix socket: server's CPU, warm and in its first second"""
    if not tools("nbd-read", "nbdcopy", "qemu-nbd"):
        return
    prepare(bench)
    commands("nbd-read", bench, "`nbdcopy URI null:`")
    for kind in ("raw", "qcow2 sequential", "qcow2 fragmented"):
        path, fmt = image(bench, kind)
        what = f"{kind} {bench.size // MIB} MiB"
        with serving(sides(bench), path, fmt) as running:
            rounds = in_turn(bench, running, copied, bench.warm_ups)
        compare("nbd-read", f"{what}, warm, server CPU", rounds, "cpu")
        compare("nbd-read", f"{what}, warm, wall", rounds, "wall")
        rounds = [first_second(bench, path, fmt) for _ in range(-1, bench.rounds)][1:]
        copies = " / ".join(f"{statistics.median(answers[side]['copies'] for answers in rounds):.0f}" for side in rounds[0])
        compare("nbd-read", f"{what}, first copy of a new server, server CPU", rounds, "first")
        compare("nbd-read", f"{what}, first second of a new server, server CPU of a copy", rounds, "second",
                note=f"copies in it: {copies}")


def first_second(bench, path, fmt):
    """Starts each server, and copies until it has listened for a second."""
    answers = {}
    for side in sides(bench):
        if not side.serves(fmt):
            continue
        try:
            with Server(side, path, fmt) as server:
                begin, listening = time.monotonic(), server.cpu()
                first = copied(server)["cpu"]
                copies = 1
                while time.monotonic() - begin < 1:
                    copied(server)
                    copies += 1
                answers[side.name] = {"first": first, "second": (server.cpu() - listening) / copies, "copies": copies}
        except NotStarted as e:
            missing(side, e)
    return answers


def nbd_fio(bench):
    """4 KiB random reads by fio, depth 64: server's CPU of an operation, operations in a second"""
    random_reads(bench, "nbd-fio", 64)


def nbd_latency(bench):
    """4 KiB random reads by fio, depth 1: the same, and how long they take"""
    random_reads(bench, "nbd-latency", 1)


def random_reads(bench, name, depth):
    if not tools(name, "fio", "qemu-nbd"):
        return
    prepare(bench)
    commands(name, bench, f"`fio --ioengine=nbd --uri=URI --rw=randread --bs=4k --iodepth={depth}"
             f" --runtime={bench.seconds} --time_based`")
    for kind in ("raw", "qcow2 sequential"):
        path, fmt = image(bench, kind)
        with serving(sides(bench), path, fmt) as running:
            rounds = in_turn(bench, running, lambda server: fio(server, "randread", "4k", depth, bench.seconds), 2)
        what = f"{kind}, 4 KiB random read, depth {depth}"
        compare(name, f"{what}, server CPU of an operation", rounds, "cpu")
        compare(name, f"{what}, IOPS", rounds, "iops", count, True)
        if depth == 1:
            compare(name, f"{what}, p50", rounds, "p50", beside="nbdkit" if "nbdkit" in running else "")


def nbd_write(bench):
    """writes by fio, 4 KiB at random of depth 1 and 64, 1 MiB in order of depth 8, over data: raw and qcow2"""
    if not tools("nbd-write", "fio", "qemu-nbd"):
        return
    prepare(bench)
    commands("nbd-write", bench, f"`fio --ioengine=nbd --uri=URI --rw=randwrite or write --bs=4k or 1M --iodepth=N"
             f" --runtime={bench.seconds} --time_based`; to the disk goes what is written between the turns", writable=True)
    for kind in ("raw", "qcow2 sequential"):
        source, fmt = image(bench, kind)
        own = {side.name: bench.scratch(f"nbd-write-{i}.{fmt}") for i, side in enumerate(sides(bench)) if fmt in side.formats}
        try:
            for path in own.values():
                shutil.copyfile(source, path)
            with serving(sides(bench), own, fmt, writable=True) as running:
                for block, depth, pattern in (("4k", 1, "randwrite"), ("4k", 64, "randwrite"), ("1M", 8, "write")):
                    def ask(server):
                        os.sync()  # what the one before wrote is not written back at this one's expense
                        return fio(server, pattern, block, depth, bench.seconds)
                    rounds = in_turn(bench, running, ask, 2)
                    what = f"{kind}, {'4 KiB random' if block == '4k' else '1 MiB'} write, depth {depth}"
                    compare("nbd-write", f"{what}, server CPU of an operation", rounds, "cpu")
                    compare("nbd-write", f"{what}, IOPS", rounds, "iops", count, True)
        finally:
            for path in own.values():
                bench.scratch(os.path.basename(path))


def nbd_tcp(bench):
    """nbdcopy of all bytes to nowhere by TCP: server's CPU and wall"""
    if not tools("nbd-tcp", "nbdcopy", "qemu-nbd"):
        return
    prepare(bench)
    commands("nbd-tcp", bench, "`nbdcopy URI null:`", tcp=True)
    for kind in ("raw", "qcow2 sequential"):
        path, fmt = image(bench, kind)
        with serving(sides(bench), path, fmt, tcp=True) as running:
            rounds = in_turn(bench, running, copied, bench.warm_ups)
        for measure, what in (("cpu", "server CPU"), ("wall", "wall")):
            compare("nbd-tcp", f"{kind} {bench.size // MIB} MiB, {what}", rounds, measure)


class Credentials:
    """Certificates or a key in qemu's layout, and what lets the client offer one cipher only."""

    def __init__(self, kind, folder, cipher):
        self.kind, self.folder, self.keys = kind, folder, f"{folder}/keys.psk"
        if kind == "x509":
            self.certify()
        else:
            run(["psktool", "-u", "bench", "-p", self.keys])
        # GnuTLS, which nbdcopy is linked with, leaves out what this names.
        priority = f"{folder}/priority"
        others = {"aes-256-gcm", "aes-128-gcm", "aes-256-ccm", "aes-128-ccm", "chacha20-poly1305"} - {cipher}
        self.write("priority", "[overrides]", *(f"disabled-version = {version}" for version in ("tls1.0", "tls1.1", "tls1.2")),
                   *(f"tls-disabled-cipher = {other}" for other in sorted(others)))
        self.env = dict(os.environ, GNUTLS_SYSTEM_PRIORITY_FILE=priority)

    def certify(self):
        self.write("ca.info", "cn = Platter bench", "ca", "cert_signing_key")
        self.write("server.info", "cn = 127.0.0.1", "ip_address = 127.0.0.1", "tls_www_server", "encryption_key", "signing_key")
        for name in ("ca", "server"):
            run(["certtool", "--generate-privkey", "--outfile", f"{self.folder}/{name}-key.pem"])
        run(["certtool", "--generate-self-signed", "--template", f"{self.folder}/ca.info",
             "--load-privkey", f"{self.folder}/ca-key.pem", "--outfile", f"{self.folder}/ca-cert.pem"])
        run(["certtool", "--generate-certificate", "--template", f"{self.folder}/server.info",
             "--load-ca-certificate", f"{self.folder}/ca-cert.pem", "--load-ca-privkey", f"{self.folder}/ca-key.pem",
             "--load-privkey", f"{self.folder}/server-key.pem", "--outfile", f"{self.folder}/server-cert.pem"])

    def write(self, name, *lines):
        with open(f"{self.folder}/{name}", "w") as file:
            file.write("".join(line + "\n" for line in lines))

    def secured(self, uri):
        if self.kind == "x509":
            return uri.replace("nbd://", "nbds://") + f"?tls-certificates={self.folder}"
        return uri.replace("nbd://", "nbds://bench@") + f"?tls-psk-file={self.keys}"

    def for_qemu(self):
        verify = ",verify-peer=off" if self.kind == "x509" else ""
        return ["--object", f"tls-creds-{self.kind},id=tls0,dir={self.folder},endpoint=server{verify}", "--tls-creds", "tls0"]

    def for_nbdkit(self):
        return ["--tls=require", f"--tls-certificates={self.folder}" if self.kind == "x509" else f"--tls-psk={self.keys}"]


def nbd_tls(bench):
    """nbdcopy of all bytes to nowhere by TLS over TCP, certificates and shared keys: server's CPU and wall"""
    if not tools("nbd-tls", "nbdcopy", "qemu-nbd", "certtool", "psktool"):
        return
    prepare(bench)
    path = bench.raw(bench.size)
    for kind, cipher in (("x509", "aes-256-gcm"), ("psk", "aes-128-gcm")):
        with tempfile.TemporaryDirectory(prefix="platter-bench-") as folder:
            tls = Credentials(kind, folder, cipher)
            commands("nbd-tls", bench, "`nbdcopy URI null:`", tcp=True, tls=tls)
            with serving(sides(bench), path, "raw", tcp=True, tls=tls) as running:
                rounds = in_turn(bench, running, lambda server: copied(server, tls.env), bench.warm_ups)
        for measure, what in (("cpu", "server CPU"), ("wall", "wall")):
            for beside in ("qemu-nbd", "nbdkit"):
                if any(side.startswith(beside) for side in rounds[0]):
                    compare("nbd-tls", f"raw {bench.size // MIB} MiB, {kind}, {what}", rounds, measure, beside=beside,
                            note=f"TLS 1.3, {cipher.upper()}")


def nbd_status(bench):
    """nbdinfo --map of an 8 TiB qcow2 image with 16,384 scattered clusters"""
    if not tools("nbd-status", "nbdinfo", "qemu-nbd"):
        return
    prepare(bench)
    commands("nbd-status", bench, "`nbdinfo --map URI`")
    path = bench.scattered()
    maps = {}

    def ask(server):
        name = maps.setdefault(server.side.name, f"nbd-map-{len(maps)}")
        with open(bench.scratch(name), "wb") as out:
            return asked(server, ["nbdinfo", "--map", server.uri], stdout=out)
    among = [side for side in sides(bench) if side.name in ("ours", "qemu-nbd threads", "qemu-nbd io_uring")]
    try:
        with serving(among, path, "qcow2") as running:
            rounds = in_turn(bench, running, ask, 2)
        files = [os.path.join(bench.folder, name) for name in maps.values()]
        same = all(filecmp.cmp(files[0], other, False) for other in files)
    finally:
        for name in maps.values():
            bench.scratch(name)
    for measure, what in (("wall", "wall"), ("cpu", "server CPU")):
        compare("nbd-status", f"8 TiB scattered, `nbdinfo --map`, {what}", rounds, measure,
                note="the same map" if same else "the maps DIFFER")


class OurClient:
    """One JVM that copies from a server to a file as often as it is told to."""

    def __init__(self, bench, uri, target):
        command = [f"{bench.java}/bin/java", HEAP, "-XX:+UseSerialGC", "-cp", bench.jar,
                   "dev.platter.benchmarks.NbdInProcess", uri, target]
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
                                        preexec_fn=die_with_parent)

    def copy(self):
        with deadline("NbdInProcess"):
            before = cpu_of(self.process.pid)
            self.process.stdin.write("\n")
            self.process.stdin.flush()
            line = self.process.stdout.readline()
            cpu = cpu_of(self.process.pid) - before
        if not line:
            fail("NbdInProcess ended; see above")
        return {"wall": float(line), "cpu": cpu}

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.kill()
        self.process.wait()
        self.process.stdin.close()
        self.process.stdout.close()


def nbd_client(bench):
    """copies from qemu-nbd to a new file: our client in one JVM, its start left out, beside nbdcopy; wall and client's CPU"""
    if not tools("nbd-client", "nbdcopy", "qemu-nbd"):
        return
    side = sides(bench)[1]
    try:
        for kind in ("raw", "qcow2 sequential"):
            path, fmt = image(bench, kind)
            with Server(side, path, fmt) as server:
                rounds = copies_to_files(bench, server)
            for measure, what in (("wall", "wall"), ("cpu", "client's CPU")):
                compare("nbd-client", f"{kind} {bench.size // MIB} MiB from {side.name} to a file, {what}", rounds, measure)
    finally:
        bench.scratch("nbd-ours.out"), bench.scratch("nbd-theirs.out")


def copies_to_files(bench, server):
    ours, theirs = bench.scratch("nbd-ours.out"), bench.scratch("nbd-theirs.out")

    def peer():
        with deadline("nbdcopy"):
            cost = run(["nbdcopy", server.uri, theirs])
        return {"wall": cost.wall, "cpu": cost.cpu}
    rounds = []
    with OurClient(bench, server.uri, ours) as client:
        for turn in range(-bench.warm_ups, bench.rounds):
            answers = {}
            for name, path, copy in (("ours", ours, client.copy), ("nbdcopy", theirs, peer)):
                bench.scratch(os.path.basename(path))
                os.sync()  # what the other wrote is not written back at this one's expense
                answers[name] = copy()
            if turn >= 0:
                rounds.append(answers)
    if not filecmp.cmp(ours, bench.raw(bench.size), False):
        fail(f"{server.uri}: our copy differs")
    return rounds


def nbd_memory(bench):
    """the most memory that a server has resident, ours with -Xmx48m: copying, fio, and 1,000 clients that do nothing"""
    if not tools("nbd-memory", "nbdcopy", "fio", "qemu-nbd"):
        return
    prepare(bench)
    raise_open_files()
    commands("nbd-memory", bench, "the heap is -Xmx48m here", clients=0)
    heap = dict(bench.env, PLATTER_OPTS="-Xmx48m")
    raw, qcow2 = bench.raw(bench.size), bench.fragmented(bench.size)

    def busy(server):
        for _ in range(bench.warm_ups):
            copied(server)

    def random_reads(server):
        fio(server, "randread", "4k", 64, 2 * bench.seconds)

    def long_writes(server):
        fio(server, "write", "1M", 8, 2 * bench.seconds)
    for kind, fmt, source, load, writable in (
            ("nbdcopy, raw", "raw", raw, busy, False), ("nbdcopy, qcow2 fragmented", "qcow2", qcow2, busy, False),
            ("fio 4 KiB random read, depth 64, qcow2 fragmented", "qcow2", qcow2, random_reads, False),
            ("fio 1 MiB write, depth 8, raw", "raw", raw, long_writes, True),
            ("fio 1 MiB write, depth 8, qcow2 fragmented", "qcow2", qcow2, long_writes, True),
            (f"{CLIENTS} idle clients that have read 4 KiB, raw", "raw", raw, idle_clients, False)):
        memory(bench, kind, fmt, source, load, writable, heap)


def memory(bench, kind, fmt, source, load, writable, heap):
    rounds = []
    among = [side for side in sides(bench) if side.serves(fmt) and side.name != NATIVE]
    for _ in range(min(3, bench.rounds)):
        answers = {}
        for side in among:
            image = source
            if writable:
                image = bench.scratch("nbd-memory.image")
                shutil.copyfile(source, image)
            try:
                with Server(side, image, fmt, env=heap if side.name == "ours" else None, writable=writable, clients=0) as server:
                    load(server)
                    answers[side.name] = {"peak": server.peak()}
            except NotStarted as e:
                missing(side, e)
            finally:
                bench.scratch("nbd-memory.image")
        rounds.append(answers)
    compare("nbd-memory", f"{kind}, peak", rounds, "peak", lambda size: f"{size:.0f} MiB")


def idle_clients(server):
    path = server.uri.split("socket=")[1]
    with contextlib.ExitStack() as stack, deadline(f"{CLIENTS} clients of {server.side.name}"):
        for i in range(CLIENTS):
            client = stack.enter_context(socket.socket(socket.AF_UNIX))
            client.connect(path)
            greet(client)
            client.sendall(struct.pack(">IHHQQI", 0x25609513, 0, 0, i, 4096 * i, 4096))
            receive(client, 16 + 4096)
        time.sleep(1)


def greet(client):
    """Takes the default export, in the shortest way that the protocol has."""
    receive(client, 18)
    client.sendall(struct.pack(">I8sII", 3, b"IHAVEOPT", 1, 0))
    receive(client, 10)


def receive(client, length):
    while length:
        got = len(client.recv(length))
        if not got:
            fail("a server hung up on a client that did nothing wrong")
        length -= got


def raise_open_files():
    """A client each of a thousand is a descriptor here and one in the server, which inherits our limit."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = 4 * CLIENTS
    if soft != resource.RLIM_INFINITY and soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted if hard == resource.RLIM_INFINITY else min(wanted, hard), hard))


MEASUREMENTS = {"nbd-read": nbd_read, "nbd-fio": nbd_fio, "nbd-latency": nbd_latency,
                "nbd-write": nbd_write, "nbd-tcp": nbd_tcp, "nbd-tls": nbd_tls,
                "nbd-status": nbd_status, "nbd-client": nbd_client, "nbd-memory": nbd_memory}
