#!/usr/bin/env python3
"""Runs one rank of a training on this node, detached from the SSH session that started it.

    python3 ~/.crosszone/agent.py SUBCOMMAND        arguments as one JSON object on stdin

    fetch   downloads files, or takes uploaded ones, and verifies their SHA-256
    launch  starts a rank; nothing happens if it runs or has succeeded already
    status  says what became of a rank, with the last lines of its log
    stop    ends a rank; fine if nothing runs
    follow  shows the log of a rank live until it ends, launching it first if asked to
    logs    shows the log of a rank, of the last seconds only or as it grows if asked to

Each but `logs` prints one JSON document as its last line on stdout. Errors go to stderr, with an exit code other than 0.

A rank lives in ~/.crosszone/runs/RUN/rank-N: `log`, `log.times` (how long the log was, second by second), `state.json`
and `lock`, the lock under which the state changes.
A supervisor process waits for the rank and records how it ended; the rank cannot outlive its supervisor.
Only Python's standard library is used, from 3.8 on.
"""
import contextlib
import ctypes
import fcntl
import glob
import hashlib
import json
import os
import re
import select
import shutil
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.parse
import urllib.request

DOWNLOAD_TIMEOUT = 30  # seconds without a byte
STOP_GRACE = 5  # seconds between SIGTERM and SIGKILL
MAX_LINES = 3000  # lines that `follow` shows
MAX_LINE = 1000  # characters of a line that `follow` shows
MAX_PARTIAL = 1 << 20  # bytes without a line end that `follow` collects before it shows them as a line
TAIL_LINES = 20
TAIL_BYTES = 256 * 1024  # how much of the end of a log is searched for its last lines and result
POLL_SECONDS = 0.05
NOTE_SECONDS = 1  # between two notes of how long the log is
RESULT_PREFIX = b"RESULT "
PR_SET_PDEATHSIG = 1


class AgentError(Exception):
    """What went wrong, what was given, and what to do; shown without a traceback."""


# ---------------------------------------------------------------- arguments

REQUIRED = object()


def check(arguments, **expected):
    """The values of `arguments` in the order of `expected`, which gives each key's (type, default)."""
    if not isinstance(arguments, dict):
        raise AgentError(f"the arguments must be one JSON object, not {type(arguments).__name__}")
    unknown = sorted(set(arguments) - set(expected))
    if unknown:
        raise AgentError(f"unknown arguments {unknown}; allowed are {sorted(expected)}")
    values = []
    for key, (kind, default) in expected.items():
        value = arguments.get(key, default)
        if value is REQUIRED:
            raise AgentError(f"the argument {key!r} is missing; needed are "
                             f"{[name for name, (_, other) in expected.items() if other is REQUIRED]}")
        if value is not default and (not isinstance(value, kind) or (isinstance(value, bool) and kind is not bool)):
            raise AgentError(f"the argument {key!r} is a {type(value).__name__}; it must be a "
                             f"{getattr(kind, '__name__', 'number')}")
        values.append(value)
    return values


def check_strings(what, values):
    """Refuses values that execve cannot take; says which, never their content: it may be a secret."""
    for place, value in enumerate(values):
        if not isinstance(value, str) or "\0" in value:
            raise AgentError(f"{what}, item {place}, is not a string without NUL characters")


# ---------------------------------------------------------------- fetch

class WebOnlyRedirects(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, request, response, code, message, headers, url):
        require_web_address(url)
        return super().redirect_request(request, response, code, message, headers, url)


def require_web_address(url):
    if urllib.parse.urlsplit(url).scheme not in ("http", "https"):
        raise AgentError(f"{without_secrets(url)} is not an http or https address; only those are fetched")


def without_secrets(url):
    """The address without user, password and query, any of which may hold a token."""
    parts = urllib.parse.urlsplit(url)
    return urllib.parse.urlunsplit((parts.scheme, parts.netloc.rpartition("@")[2], parts.path, "", ""))


def fetch(arguments):
    directory, files = check(arguments, directory=(str, REQUIRED), files=(list, REQUIRED))
    directory = os.path.expanduser(directory)
    os.makedirs(directory, exist_ok=True)
    return {"files": [fetch_one(directory, file) for file in files]}


def fetch_one(directory, file):
    name, sha256, url, path, image = check(file, name=(str, REQUIRED), sha256=(str, None),
                                           url=(str, None), path=(str, None), image=(str, None))
    if image is not None:
        return look_at(image, sha256)
    if name in ("", ".", "..") or "/" in name or "\0" in name:
        raise AgentError(f"{name!r} is not a file name; it must hold no slash")
    if sha256 is None or not re.fullmatch("[0-9a-f]{64}", sha256):
        raise AgentError(f"the sha256 of {name} is {sha256!r}; it must be 64 hexadecimal digits in lower case")
    target = os.path.join(directory, name)
    present = sha256_of(target) if os.path.isfile(target) else None
    fetched = present != sha256
    if fetched:
        if url is None and path is None:
            raise AgentError(f"{target} {'is missing' if present is None else f'has SHA-256 {present}, not {sha256}'}, "
                             "and neither a url nor the path of an uploaded file is given")
        install(url, path, target, sha256)
    return {"name": name, "sha256": sha256, "bytes": os.path.getsize(target), "fetched": fetched}


def look_at(path, sha256):
    """A file that the node's image has: it stays where it is, and is verified where its SHA-256 is given."""
    if not os.path.isfile(path):
        raise AgentError(f"{path} is not on this node; take an image that has it (crosszone:zones[].imageId), "
                         "or bring a script (crosszone:training.script)")
    actual = sha256_of(path)
    if sha256 not in (None, actual):
        raise AgentError(f"{path} of this node's image has SHA-256 {actual}, expected is {sha256}; nothing was started. "
                         "Take the image that is meant, or set the sha256 to that of the file you trust")
    return {"name": os.path.basename(path), "sha256": actual, "bytes": os.path.getsize(path), "fetched": False}


def install(url, path, target, sha256):
    """Puts the file into place only once it is whole and verified; until then `target` stays as it was."""
    source = without_secrets(url) if url is not None else path
    handle, temporary = tempfile.mkstemp(dir=os.path.dirname(target), prefix=".fetch-")
    try:
        with os.fdopen(handle, "wb") as output, open_source(url, path) as content:
            shutil.copyfileobj(content, output)
            output.flush()
            os.fsync(output.fileno())
        actual = sha256_of(temporary)
        if actual != sha256:
            raise AgentError(f"{source} has SHA-256 {actual}, expected is {sha256}; nothing was installed as {target}. "
                             "Check the source, or set the sha256 to that of the file you trust")
        os.chmod(temporary, 0o644)
        os.replace(temporary, target)
    except (OSError, urllib.error.URLError) as error:
        raise AgentError(f"cannot get {source} as {target}: {error}") from error
    finally:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(temporary)


def open_source(url, path):
    if url is None:
        return open(os.path.expanduser(path), "rb")
    require_web_address(url)
    return urllib.request.build_opener(WebOnlyRedirects).open(url, timeout=DOWNLOAD_TIMEOUT)


def sha256_of(path):
    digest = hashlib.sha256()
    with open(path, "rb") as file:
        for block in iter(lambda: file.read(1 << 20), b""):
            digest.update(block)
    return digest.hexdigest()


# ---------------------------------------------------------------- the state of a rank

def runs_directory():
    return os.path.join(os.path.expanduser("~"), ".crosszone", "runs")


class Rank:
    """A rank's folder, and its state as the files and processes say it is now."""

    def __init__(self, run_id, rank):
        if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]{0,127}", run_id):
            raise AgentError(f"runId is {run_id!r}; it must be letters, digits, '.', '_' and '-', at most 128")
        if rank < 0:
            raise AgentError(f"rank is {rank}; it must be 0 or more")
        self.run_id, self.rank = run_id, rank
        self.directory = os.path.join(runs_directory(), run_id, f"rank-{rank}")
        self.log = os.path.join(self.directory, "log")
        self.state_file = os.path.join(self.directory, "state.json")
        self.container = f"crosszone-{run_id}-{rank}"
        # Of all attempts of the run: the next one goes on from there.
        self.checkpoints = os.path.join(runs_directory(), run_id, "checkpoints")

    @contextlib.contextmanager
    def locked(self):
        os.makedirs(self.directory, exist_ok=True)
        with open(os.path.join(self.directory, "lock"), "w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield lock

    def read(self):
        """The recorded state, corrected if the supervisor ended without recording the end."""
        try:
            with open(self.state_file) as file:
                state = json.load(file)
        except FileNotFoundError:
            return {"runId": self.run_id, "rank": self.rank, "attempt": 0, "state": "absent", "pid": None}
        if state["state"] == "running" and not is_alive(state["supervisor"]):
            # It may have recorded the end between the two looks.
            with open(self.state_file) as file:
                state = json.load(file)
            if state["state"] == "running":
                state.update(state="failed", endedAt=max(state["startedAt"], os.path.getmtime(self.log)),
                             reason="its supervisor is gone: it was killed, or the node was restarted")
        return state

    def write(self, state):
        temporary = f"{self.state_file}.{os.getpid()}"
        with open(temporary, "w") as file:
            json.dump(state, file)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, self.state_file)

    def tail(self):
        """The last lines of the log, without the RESULT line, and the object of that line or None."""
        try:
            with open(self.log, "rb") as file:
                file.seek(max(0, file.seek(0, os.SEEK_END) - TAIL_BYTES))
                lines = file.read().splitlines()
        except FileNotFoundError:
            lines = []
        result = None
        for line in lines:
            if line.startswith(RESULT_PREFIX):
                with contextlib.suppress(ValueError):
                    result = json.loads(line[len(RESULT_PREFIX):])
        shown = [cut(line) for line in lines if not line.startswith(RESULT_PREFIX)]
        return shown[-TAIL_LINES:], result

    def note_size(self, noted):
        """Appends to `log.times` how long the log is by now, if it has grown; returns that."""
        size = os.path.getsize(self.log)
        if size != noted:
            with open(f"{self.log}.times", "a") as times:
                times.write(f"{time.time():.1f} {size}\n")
        return size

    def offset_at(self, moment):
        """Where in the log that begins which was written after a moment, to the second."""
        offset = 0
        with contextlib.suppress(FileNotFoundError), open(f"{self.log}.times") as times:
            for line in times:
                noted, size = line.split()
                if float(noted) > moment:
                    break
                offset = int(size)
        return offset

    def told(self, state):
        """A file that is there once a follower has told how this attempt ended."""
        return os.path.join(os.path.dirname(self.log), f"told.{state['attempt']}")

    def summary(self, state):
        """What callers are told of a rank."""
        ended = state.get("endedAt") or time.time()
        return {"runId": self.run_id, "rank": self.rank, "attempt": state["attempt"], "state": state["state"],
                "exitCode": state.get("exitCode"), "reason": state.get("reason"),
                "seconds": round(ended - state["startedAt"], 3) if "startedAt" in state else None,
                "result": self.tail()[1]}


def identity(pid):
    """What tells a process from a later one with the same pid: its start time, and the boot it belongs to."""
    with open(f"/proc/{pid}/stat") as file:
        fields = file.read().rpartition(")")[2].split()
    with open("/proc/sys/kernel/random/boot_id") as file:
        return {"pid": pid, "startTime": int(fields[19]), "bootId": file.read().strip(), "zombie": fields[0] == "Z"}


def is_alive(process):
    try:
        return identity(process["pid"]) == process
    except (FileNotFoundError, ProcessLookupError):
        return False


# ---------------------------------------------------------------- launch, supervise, stop

def check_launch(arguments, needed=("runId", "rank", "argv", "directory")):
    types = {"runId": str, "rank": int, "argv": list, "directory": str, "environment": dict,
             "maxSeconds": (int, float), "restart": bool, "container": dict}
    defaults = {"environment": {}, "restart": False}
    return check(arguments, **{name: (kind, REQUIRED if name in needed else defaults.get(name))
                               for name, kind in types.items()})


def launch(arguments):
    run_id, rank, argv, directory, environment, max_seconds, restart, container = check_launch(arguments)
    check_strings("argv", argv)
    check_strings("environment", [text for pair in environment.items() for text in pair])
    directory = os.path.expanduser(directory)
    argv = [os.path.expanduser(word) if word.startswith("~/") else word for word in argv]
    if not argv:
        raise AgentError("argv is empty; it must name the program to start")
    if not os.path.isdir(directory):
        raise AgentError(f"the directory {directory} does not exist on this node; fetch the files into it first")
    if max_seconds is not None and max_seconds <= 0:
        raise AgentError(f"maxSeconds is {max_seconds}; it must be more than 0")

    stop_other_runs(run_id)
    this = Rank(run_id, rank)
    environment = {"PYTHONUNBUFFERED": "1", "CHECKPOINT_DIR": this.checkpoints, **interfaces(environment), **environment}
    if container is not None:
        argv = in_container(this, argv, directory, environment, container)
    with this.locked() as lock:
        state = this.read()
        ended_badly = state["state"] in ("failed", "stopped")
        if state["state"] == "absent" or (ended_badly and restart):
            if container is not None:
                # One that outlived its client would have the name still.
                with contextlib.suppress(OSError):
                    subprocess.run(["docker", "kill", this.container], stdout=subprocess.DEVNULL,
                                   stderr=subprocess.DEVNULL, check=False)
            state = start(this, state["attempt"] + 1, argv, directory, environment, max_seconds, lock)
    if state["state"] == "failed" and state.get("pid") is None:
        raise AgentError(state["reason"])
    return {key: state[key] for key in ("runId", "rank", "attempt", "state", "pid")}


def in_container(this, argv, directory, environment, container):
    """The command that runs another in a container, with the node's network, and the run's files at the same paths."""
    image, options, folder = check(container, image=(str, REQUIRED), options=(list, []), directory=(str, None))
    check_strings("container.options", options)
    files = os.path.dirname(this.directory)
    # By their names alone: values come from the client's environment, where nobody sees them in a list of processes.
    variables = [word for variable in sorted(environment) for word in ("-e", variable)]
    return ["docker", "run", "--rm", "--init", "--net", "host", "--name", this.container, "-v", f"{files}:{files}",
            "-w", folder or directory, *variables, *options, image, *argv]


def stop_other_runs(run_id):
    """A node works on one run: the ranks of others are ended."""
    for folder in glob.glob(os.path.join(glob.escape(runs_directory()), "*", "rank-*")):
        other, rank = folder.split(os.sep)[-2:]
        if other != run_id:
            stop({"runId": other, "rank": int(rank[len("rank-"):])})


def start(this, attempt, argv, directory, environment, max_seconds, lock):
    """Starts the supervisor, detached, and returns the state that it wrote once the rank runs."""
    if attempt > 1 and os.path.exists(this.log):
        os.replace(this.log, f"{this.log}.{attempt - 1}")
    with contextlib.suppress(FileNotFoundError):
        os.unlink(f"{this.log}.times")
    sys.stdout.flush()
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        # The lock goes along, so that the state is written under it even if the caller dies now.
        try:
            os.setsid()
            if os.fork() == 0:
                keep_only(writer, lock.fileno())
                supervise(this, attempt, argv, directory, environment, max_seconds, (writer, lock.fileno()))
        finally:
            os._exit(0)
    os.close(writer)
    os.waitpid(child, 0)
    with os.fdopen(reader) as started:
        if started.read() != "started":
            raise AgentError(f"the supervisor of rank {this.rank} ended before it could start the rank; see {this.log}")
    return this.read()


def keep_only(*descriptors):
    """Lets go of the caller's files: the SSH session stays open as long as anyone holds its pipes."""
    null = os.open(os.devnull, os.O_RDWR)
    for standard in (0, 1, 2):
        os.dup2(null, standard)
    last = 3
    for descriptor in sorted(descriptors):
        os.closerange(last, descriptor)
        last = descriptor + 1
    os.closerange(last, min(os.sysconf("SC_OPEN_MAX"), 4096))


def supervise(this, attempt, argv, directory, environment, max_seconds, until_started):
    """The supervisor's whole life: starts the rank, records it, waits for its end, records that."""
    watched = {signal.SIGCHLD, signal.SIGTERM}
    signal.pthread_sigmask(signal.SIG_BLOCK, watched)
    state = {"runId": this.run_id, "rank": this.rank, "attempt": attempt, "state": "running", "pid": None,
             "supervisor": identity(os.getpid()), "startedAt": time.time()}
    libc = ctypes.CDLL(None)
    supervisor = os.getpid()

    def become_rank():
        signal.pthread_sigmask(signal.SIG_UNBLOCK, watched)
        libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() != supervisor:  # it died before the line above took effect
            os._exit(1)

    with open(this.log, "wb") as log:
        try:
            rank = subprocess.Popen(argv, cwd=directory,
                                    env={**os.environ, **environment},
                                    stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT,
                                    start_new_session=True, preexec_fn=become_rank)
            state["pid"] = rank.pid
        except OSError as error:
            state.update(state="failed", exitCode=127, endedAt=time.time(),
                         reason=f"rank {this.rank} cannot start {argv[0]!r} in {directory}: {error.strerror}")
    this.write(state)
    pipe, lock = until_started
    os.close(lock)
    with contextlib.suppress(BrokenPipeError):
        os.write(pipe, b"started")
    os.close(pipe)
    if state["pid"] is None:
        return

    reason = wait_for_end(rank, watched, max_seconds, this)
    code = rank.returncode if rank.returncode >= 0 else 128 - rank.returncode
    outcome = "succeeded" if code == 0 else "stopped" if reason == "stopped" else "failed"
    state.update(state=outcome, exitCode=code, endedAt=time.time(),
                 reason=None if reason == "stopped" or code == 0 else reason)
    with this.locked():
        this.write(state)


def interfaces(environment):
    """Names for gloo and nccl the one interface on the route to the master: left alone they may take another."""
    if "MASTER_ADDR" not in environment:
        return {}
    try:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as route:
            route.connect((environment["MASTER_ADDR"], 9))  # sends nothing: it only looks up the route
            own = route.getsockname()[0]
        name = next(name for _, name in socket.if_nameindex() if address_of(name) == own)
    except (OSError, StopIteration):
        return {}  # the rank says better what is wrong with the master's address
    return {"GLOO_SOCKET_IFNAME": name, "NCCL_SOCKET_IFNAME": name}


def address_of(interface):
    """The IPv4 address of an interface (ioctl SIOCGIFADDR, see netdevice(7)); None where it has none."""
    request = struct.pack("256s", interface.encode())
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as any_socket, contextlib.suppress(OSError):
        return socket.inet_ntoa(fcntl.ioctl(any_socket, 0x8915, request)[20:24])
    return None


def wait_for_end(rank, watched, max_seconds, this):
    """Waits until the rank has ended, ending it on SIGTERM or at the deadline; returns why it was ended, or None."""
    deadline = None if max_seconds is None else time.monotonic() + max_seconds
    reason, killed, noted = None, False, 0
    while os.waitid(os.P_PID, rank.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is None:
        noted = this.note_size(noted)
        remaining = NOTE_SECONDS if deadline is None else min(NOTE_SECONDS, max(0, deadline - time.monotonic()))
        received = signal.sigtimedwait(watched, remaining)
        if received is not None and received.si_signo == signal.SIGCHLD:
            continue
        overdue = received is None and deadline is not None and time.monotonic() >= deadline
        if reason is None and (received is not None or overdue):
            reason = "stopped" if received is not None else f"it ran longer than its limit of {max_seconds:g} s"
            os.killpg(rank.pid, signal.SIGTERM)
            deadline = time.monotonic() + STOP_GRACE
        elif overdue and not killed:
            os.killpg(rank.pid, signal.SIGKILL)
            killed, deadline = True, None
    # The rank is a zombie still, so its group cannot be another's: end what it left behind.
    with contextlib.suppress(ProcessLookupError):
        os.killpg(rank.pid, signal.SIGKILL)
    rank.wait()
    return reason


def stop(arguments):
    """Takes the arguments of `launch` too, so that what launched a rank can stop it with the same input."""
    run_id, rank, *_ = check_launch(arguments, needed=("runId", "rank"))
    this = Rank(run_id, rank)
    state = this.read()
    if state["state"] == "running":
        with contextlib.suppress(ProcessLookupError):
            os.kill(state["supervisor"]["pid"], signal.SIGTERM)
        deadline = time.monotonic() + STOP_GRACE + 5
        while this.read()["state"] == "running":
            if time.monotonic() > deadline:
                raise AgentError(f"rank {rank} (pid {state['pid']}) did not end within {STOP_GRACE + 5} s of the request")
            time.sleep(POLL_SECONDS)
    return this.summary(this.read())


def status(arguments):
    run_id, rank = check(arguments, runId=(str, REQUIRED), rank=(int, REQUIRED))
    this = Rank(run_id, rank)
    state = this.read()
    return {**this.summary(state), "pid": state["pid"], "log": this.log, "lines": this.tail()[0]}


# ---------------------------------------------------------------- follow

def cut(line):
    text = line.decode("utf-8", "replace")
    return text if len(text) <= MAX_LINE else f"{text[:MAX_LINE]}… ({len(text) - MAX_LINE} more characters)"


class Printer:
    """Prints the lines of a log, prefixed and bounded."""

    def __init__(self, rank):
        self.prefix, self.partial, self.shown, self.left_out = f"rank {rank} | ", b"", 0, 0

    def feed(self, content):
        *lines, self.partial = (self.partial + content).split(b"\n")
        for line in lines:
            self.line(line)
        if len(self.partial) > MAX_PARTIAL:
            self.line(self.partial)
            self.partial = b""

    def line(self, line):
        if line.startswith(RESULT_PREFIX):
            return
        if self.shown < MAX_LINES:
            self.shown += 1
            print(self.prefix + cut(line), flush=True)
        else:
            self.left_out += 1

    def finish(self, log):
        if self.partial:
            self.line(self.partial)
        if self.left_out:
            print(f"{self.prefix}{self.left_out} more lines are left out here; they are in {log} on the node", flush=True)


def follow(arguments):
    run_id, rank, from_start, launch_arguments = check(
        arguments, runId=(str, REQUIRED), rank=(int, REQUIRED), fromStart=(bool, True), launch=(dict, None))
    this = Rank(run_id, rank)
    if launch_arguments is not None:
        # A failure of the rank's own is told before another attempt is made.
        state = this.read()
        is_news = state["state"] == "failed" and state.get("exitCode") is not None and not os.path.exists(this.told(state))
        restart = launch_arguments.get("restart", False) and not is_news
        launch({**launch_arguments, "runId": run_id, "rank": rank, "restart": restart})
    state = this.read()
    if state["state"] == "absent":
        raise AgentError(f"rank {rank} of run {run_id} was never launched on this node; launch it first")

    listener = select.poll()
    listener.register(sys.stdout.fileno(), 0)  # reports only that the reader is gone
    printer = Printer(rank)
    with open(this.log, "rb") as log:
        if not from_start:
            log.seek(0, os.SEEK_END)
        while True:
            state = this.read()  # before the log: what is written before the end is then never missed
            for content in iter(lambda: log.read(MAX_PARTIAL), b""):
                printer.feed(content)
            if state["state"] != "running":
                break
            if listener.poll(POLL_SECONDS * 1000):
                raise BrokenPipeError
    printer.finish(this.log)

    if state["state"] != "succeeded":
        lines, _ = this.tail()
        for line in lines:
            print(line, file=sys.stderr)
        code = state.get("exitCode")
        how = "was stopped" if state["state"] == "stopped" else "failed" if code is None else f"failed with exit code {code}"
        why = f": {state['reason']}" if state.get("reason") else ""
        print(f"rank {rank} {how}{why}; the whole log is {this.log} on the node", file=sys.stderr)
        open(this.told(state), "w").close()
    return this.summary(state)


def logs(arguments):
    run_id, rank, since, follows = check(
        arguments, runId=(str, REQUIRED), rank=(int, REQUIRED), since=((int, float), None), follow=(bool, False))
    this = Rank(run_id, rank)
    if this.read()["state"] == "absent":
        raise AgentError(f"rank {rank} of run {run_id} was never launched on this node; launch it first")
    listener = select.poll()
    listener.register(sys.stdout.fileno(), 0)
    with open(this.log, "rb") as log:
        if since is not None:
            log.seek(this.offset_at(time.time() - since))
        while True:
            state = this.read()  # before the log, as in `follow`
            for content in iter(lambda: log.read(MAX_PARTIAL), b""):
                sys.stdout.buffer.write(content)
            sys.stdout.flush()
            if not follows or state["state"] != "running":
                return None
            if listener.poll(POLL_SECONDS * 1000):
                raise BrokenPipeError


# ---------------------------------------------------------------- command line

SUBCOMMANDS = {"fetch": fetch, "launch": launch, "status": status, "stop": stop, "follow": follow, "logs": logs}


def main():
    if len(sys.argv) != 2 or sys.argv[1] not in SUBCOMMANDS:
        print(f"agent.py: give one of {', '.join(SUBCOMMANDS)}, and its arguments as JSON on stdin", file=sys.stderr)
        return 2
    name = sys.argv[1]
    try:
        try:
            arguments = json.load(sys.stdin)
        except ValueError as error:
            raise AgentError(f"stdin is not JSON ({error}); give the arguments as one JSON object") from error
        if isinstance(arguments, dict):
            arguments.pop("instance", None)  # the caller's: arguments that name the node differ for a new node
        answer = SUBCOMMANDS[name](arguments)
        if answer is not None:
            print(json.dumps(answer), flush=True)
        return 0 if name != "follow" or answer["state"] == "succeeded" else 1
    except BrokenPipeError:  # who followed is gone; the rank goes on
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except (AgentError, OSError) as error:
        print(f"agent.py {name}: {error}", file=sys.stderr)
        return 1


if __name__ == "__main__":
    sys.exit(main())
