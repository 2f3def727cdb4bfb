"""The NBD servers that dev/bench compares: ours, by the launcher, as users start it; qemu-nbd and nbdkit."""
import contextlib, ctypes, os, shutil, signal, socket, subprocess, sys, tempfile, time

from bench_measuring import fail

LIBC = ctypes.CDLL(None)
PR_SET_PDEATHSIG = 1
NATIVE = "qemu-nbd native"


class Side:
    """A program that serves an image, with the options that it is measured with."""

    def __init__(self, name, program, options=(), env=None, formats=("raw", "qcow2")):
        self.name, self.program, self.options, self.env, self.formats = name, program, list(options), env, formats

    def command(self, image, fmt, pid_file, path=None, port=None, writable=False, tls=None, clients=16):
        """The command line; path: of the Unix socket, or port: of TCP."""
        access = [] if writable else ["-r"]
        if self.program == ["nbdkit"]:
            return [*self.program, "-f", "-P", pid_file, *(["-U", path] if path else ["-i", "127.0.0.1", "-p", str(port)]),
                    *access, *(tls.for_nbdkit() if tls else []), *self.options, "file", image]
        return [*self.program, "-t", "-e", str(clients), *access, "-f", fmt, *self.options, "--pid-file", pid_file,
                *(["-k", path] if path else ["-b", "127.0.0.1", "-p", str(port)]),
                *(tls.for_qemu() if tls else []), image]

    def serves(self, fmt):
        return fmt in self.formats and shutil.which(self.program[0])

    def shown(self, tcp=False, tls=None, **more):
        words = self.command("IMAGE", "FORMAT", "PIDFILE", *((None, "PORT") if tcp else ("SOCKET",)), tls=tls, **more)
        text = " ".join([os.path.basename(words[0]), *words[1:]])
        return text.replace(tls.folder, "DIR") if tls else text


def sides(bench):
    return [Side("ours", [bench.platter, "nbd"], env=bench.env),
            Side("qemu-nbd threads", ["qemu-nbd"], ["--aio=threads"]),
            Side("qemu-nbd io_uring", ["qemu-nbd"], ["--aio=io_uring"]),
            Side(NATIVE, ["qemu-nbd"], ["--aio=native", "--cache=none"]),
            Side("nbdkit", ["nbdkit"], formats=("raw",))]


class NotStarted(Exception):
    pass


class Server:
    """A server that listens until the block is left, whatever happens in it, or to us."""

    def __init__(self, side, image, fmt, tcp=False, env=None, tls=None, **more):
        self.side, self.process = side, None
        self.folder = tempfile.mkdtemp(prefix="platter-bench-")  # short: the path of a socket has at most 107 bytes
        try:
            path, port = (None, free_port()) if tcp else (f"{self.folder}/socket", None)
            self.uri = f"nbd://127.0.0.1:{port}/" if tcp else f"nbd+unix:///?socket={path}"
            if tls:
                self.uri = tls.secured(self.uri)
            self.start(side.command(image, fmt, f"{self.folder}/pid", path, port, tls=tls, **more), env or side.env)
        except BaseException:
            self.stop()
            raise

    def start(self, command, env):
        log = f"{self.folder}/log"
        with open(log, "wb") as errors:
            self.process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=errors,
                                            env=env, preexec_fn=die_with_parent)
        end = time.monotonic() + 60
        # all three write it when clients can come
        while not (pid := content(f"{self.folder}/pid")).endswith("\n"):
            exit_code = self.process.poll()
            if exit_code is not None or time.monotonic() > end:
                why = "no pid file" if exit_code is None else f"exit {exit_code}"
                raise NotStarted(f"{' '.join(command)}: {why}\n{content(log)}")
            time.sleep(0.001)
        if int(pid) != self.process.pid:
            raise NotStarted(f"{' '.join(command)}: serves in process {pid.strip()}, not in {self.process.pid}")

    def cpu(self):
        return cpu_of(self.process.pid)

    def peak(self):
        """The most memory that was resident, in MiB."""
        status = content(f"/proc/{self.process.pid}/status")
        return next(int(line.split()[1]) for line in status.splitlines() if line.startswith("VmHWM:")) / 1024

    def stop(self):
        try:
            if self.process and self.process.poll() is None:
                self.process.terminate()
                with contextlib.suppress(subprocess.TimeoutExpired):
                    self.process.wait(10)
        finally:
            if self.process and self.process.poll() is None:
                self.process.kill()
                self.process.wait()
            shutil.rmtree(self.folder, ignore_errors=True)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stop()


def cpu_of(process):
    """Seconds of CPU so far, of threads that have ended too, to the nanosecond: clock_getcpuclockid(3)."""
    return time.clock_gettime(~process << 3 | 2)


def die_with_parent():
    """Run in a new process: it ends when this one does, even if this one is killed."""
    LIBC.prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


def free_port():
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return one.getsockname()[1]


def content(path):
    try:
        with open(path, errors="replace") as file:
            return file.read()
    except FileNotFoundError:
        return ""


@contextlib.contextmanager
def serving(among, images, fmt, **more):
    """Serves an image by each side that can, until the block is left; images: one for all, or by the name of the side."""
    with contextlib.ExitStack() as stack:
        running = {}
        for side in among:
            if side.serves(fmt):
                try:
                    image = images if isinstance(images, str) else images[side.name]
                    running[side.name] = stack.enter_context(Server(side, image, fmt, **more))
                except NotStarted as e:
                    missing(side, e)
        yield running


def missing(side, failure):
    """Goes on without one of the others: this kernel or file system may not have what it needs."""
    if side.name in ("ours", "qemu-nbd threads"):
        fail(str(failure))
    print(f"dev/bench: goes on without {side.name}: {failure}", file=sys.stderr)
