"""The process that starts a rank, detached from whoever asked, waits for it and records how it ended.

The rank cannot outlive its supervisor.
"""
import contextlib
import ctypes
import math
import os
import re
import selectors
import signal
import socket
import subprocess
import sys
import time

from causes import Causes, full_disk
from checks import AgentError
from gpus import GpuSampler
from peers import peers_of
from rank import identity

STOP_GRACE = 5  # seconds between SIGTERM and SIGKILL
PEER_GRACE = 3  # the same when another rank has ended the run
NOTE_SECONDS = 1  # between two notes of how long the log is
SETTLE_SECONDS = 0.5  # between the loss of a peer and its supervisor's word
HESITATION_SECONDS = 0.5  # before a failure is reported that another one may explain
GROUP_TIMEOUT = 60  # seconds that the guide's scripts wait for other ranks
TIMEOUT_MARGIN = 10  # seconds; after a cut that is this long TCP would send too late again
PR_SET_PDEATHSIG = 1


def start(this, attempt, order, lock):
    """Starts the supervisor, detached; returns a file that says "started" once the rank has, or has failed to.

    `order` is {argv, directory, environment, maxSeconds, ranks, group, patience: seconds that rank 0 is waited for,
    silence: seconds that another rank may be silent, if not what its time-out gives, crew}.
    """
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
                Supervisor(this, attempt, order).run(writer, lock.fileno())
        finally:
            os._exit(0)
    os.close(writer)
    os.waitpid(child, 0)
    return os.fdopen(reader)


def await_start(this, started):
    """The rank's state once it runs, or could not be started."""
    with started:
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


class Supervisor:
    def __init__(self, this, attempt, order):
        self.this, self.order = this, order
        self.state = {"runId": this.run_id, "rank": this.rank, "ranks": order["ranks"], "attempt": attempt,
                      "state": "running", "pid": None, "supervisor": identity(os.getpid()), "startedAt": time.time(),
                      "crew": order["crew"], "boots": {}}
        self.selector = selectors.DefaultSelector()
        self.peers = peers_of(self.selector, order["group"], this.run_id, attempt, this.rank, order["patience"],
                              silence_of(order), order["crew"])
        self.is_asked_to_stop, self.has_told = False, False
        self.watch_signals()

    def watch_signals(self):
        """Signals wake the selector; SIGTERM asks for the end of the rank."""
        reader, writer = os.pipe()
        for end in (reader, writer):
            os.set_blocking(end, False)
        signal.set_wakeup_fd(writer, warn_on_full_buffer=False)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        signal.signal(signal.SIGTERM, lambda *_: setattr(self, "is_asked_to_stop", True))
        self.selector.register(reader, selectors.EVENT_READ, lambda: os.read(reader, 4096))

    def wait(self, seconds):
        """Serves the peers until something happens, at most for some seconds."""
        self.peers.tick()
        for key, _ in self.selector.select(max(0, seconds)):
            key.data()
        is_running = self.state["state"] == "running" and self.state["pid"] is not None
        if is_running and self.state["boots"] != self.peers.hearing.boots:
            self.state["boots"] = dict(self.peers.hearing.boots)
            # Without the lock: whoever has that ends this process before it writes. Without the room for the end, too.
            with contextlib.suppress(OSError):
                self.this.write_once(self.state)

    def run(self, started, lock):
        """The supervisor's whole life: starts the rank, records it, waits for its end, records that."""
        open(self.this.log, "wb").close()
        self.this.write(self.state)
        self.this.reserve()
        os.close(lock)
        rank = self.start_rank() if self.is_its_turn() else None
        self.record()
        with contextlib.suppress(BrokenPipeError):
            os.write(started, b"started")
        os.close(started)
        if rank is not None:
            self.finish(rank)
            self.record()
        self.this.free_reserved()
        if self.state["state"] == "succeeded":
            self.peers.done()
        else:
            self.tell()
        self.peers.linger()

    def is_its_turn(self):
        """Waits until rank 0 listens; records why where the rank is not to start."""
        deadline = time.monotonic() + self.order["patience"]
        while not self.peers.may_start:
            why = self.why_end(False)
            if why is not None:
                self.end(why[0], None, why[1])
            elif time.monotonic() > deadline:
                group = self.order["group"]
                self.end("failed", None,
                         f"rank {self.this.rank} was not started: the supervisor of rank 0 did not answer at "
                         f"{group['address']}:{group['port']} within {self.order['patience']:g} s; is rank 0 launched, and "
                         "does the network let this port through?")
            else:
                self.wait(self.peers.tempo)
                continue
            return False
        return True

    def start_rank(self):
        libc = ctypes.CDLL(None)
        supervisor = os.getpid()

        def become_rank():
            libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
            if os.getppid() != supervisor:  # it died before the line above took effect
                os._exit(1)

        argv, directory = self.order["argv"], self.order["directory"]
        try:
            with open(self.this.log, "wb") as log:
                rank = subprocess.Popen(argv, cwd=directory, env={**os.environ, **self.order["environment"]},
                                        stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT,
                                        start_new_session=True, preexec_fn=become_rank)
        except OSError as error:
            self.end("failed", 127, f"rank {self.this.rank} cannot start {argv[0]!r} in {directory}: {error.strerror}")
            return None
        self.state.update(pid=rank.pid, boots=dict(self.peers.hearing.boots))
        return rank

    def finish(self, rank):
        """Waits until the rank has ended, ending it when asked to, at its limit, or with its peers."""
        limit = time.monotonic() + self.order["maxSeconds"] if self.order["maxSeconds"] is not None else math.inf
        kill_at, why, noted = math.inf, None, 0
        gpus, causes = GpuSampler(self.selector, self.order["environment"]), Causes()
        while os.waitid(os.P_PID, rank.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is None:
            noted = self.this.note_size(noted)
            gpus.tick()
            causes.tick()
            now = time.monotonic()
            if why is None:
                why = self.why_end(now >= limit)
                if why is not None:
                    kill_at, limit = now + (STOP_GRACE if self.peers.ended is None else PEER_GRACE), math.inf
                    if why[0] == "stopped":  # told first, so that no peer takes the lost connection for a failure
                        self.end("stopped", None, why[1])
                        self.tell()
                    os.killpg(rank.pid, signal.SIGTERM)
            elif now >= kill_at:
                os.killpg(rank.pid, signal.SIGKILL)
                kill_at = math.inf
            self.wait(min(self.peers.tempo, limit - now, kill_at - now))
        # The rank is a zombie still, so its group cannot be another's: end what it left behind.
        with contextlib.suppress(ProcessLookupError):
            os.killpg(rank.pid, signal.SIGKILL)
        rank.wait()
        gpus.close()
        code = rank.returncode if rank.returncode >= 0 else 128 - rank.returncode
        if code == 0:
            why = "succeeded", None
        elif why is None:
            why = self.why_lost(code, full_disk(self.this.directory) or causes.explain(code, self.this.tail()[0]))
        state, reason = why
        self.end(state, code, reason)

    def why_end(self, is_overdue):
        """The state that the rank is to end in, and why; None while it may go on."""
        if self.is_asked_to_stop:
            return "stopped", None
        if self.peers.ended is not None:
            return self.peers.ended["state"], describe(self.peers.ended)
        if is_overdue:
            return "failed", f"it ran longer than its limit of {self.order['maxSeconds']:g} s"
        return None

    def why_lost(self, code, cause):
        """Why a rank failed that nobody ended: often since another one did, whose word may come after the lost connection.

        Rank 0's supervisor hears of failures in their order: the first one is the cause. One that a signal or a full disk
        has ended comes before those that only missed it: it is reported at once, the others a moment later.
        """
        self.wait(0)
        if cause is None:
            self.wait_for_peers(HESITATION_SECONDS)
        if self.peers.ended is None:
            self.end("failed", code, cause)
            self.tell()
        self.wait_for_peers(SETTLE_SECONDS)
        is_by_another = cause is None and self.peers.ended is not None and self.peers.ended["rank"] != self.this.rank
        why = self.why_end(False) if is_by_another or self.is_asked_to_stop else None
        return why or ("failed", cause or self.peers.hearing.why_failed())

    def wait_for_peers(self, seconds):
        """Until one of them has told how the run ended, at most for some seconds."""
        deadline = time.monotonic() + seconds
        while self.order["group"] is not None and self.peers.ended is None and time.monotonic() < deadline:
            self.wait(deadline - time.monotonic())

    def tell(self):
        if not self.has_told and self.peers.ended is None:
            self.has_told = True
            self.peers.tell(self.ending())

    def end(self, state, code, reason):
        self.state.update(state=state, exitCode=code, endedAt=time.time(), reason=reason)

    def record(self):
        with self.this.locked():
            self.this.write(self.state)

    def ending(self):
        """What the peers are told of this rank's end."""
        return {"rank": self.this.rank, "node": socket.gethostname(), "lines": self.this.tail()[0],
                **{key: self.state.get(key) for key in ("state", "exitCode", "reason")}}


def silence_of(order):
    """How long another rank may be silent: less than PyTorch waits for it where that is long, so that the cause is found
    first. The guide's scripts take PyTorch's time-out from their flag, else from the environment.
    """
    if order["silence"] is not None:
        return order["silence"]
    words = " ".join(["--timeout", order["environment"].get("GROUP_TIMEOUT", ""), *order["argv"]]).replace("--timeout=", "--timeout ")
    timeouts = [float(number) for number in re.findall(r"(?<!\S)--timeout (\d+(?:\.\d*)?)(?!\S)", words)]
    return max([GROUP_TIMEOUT, *timeouts[-1:]]) - TIMEOUT_MARGIN


def describe(ending):
    """Why a rank ended that another one took along."""
    if ending.get("isLost"):
        return f"rank {ending['rank']} on {ending['node']} is lost, {ending['reason']}"
    code = ending["exitCode"]
    failed = "was not started" if code is None else f"failed with exit code {code}"
    how = failed if ending["state"] == "failed" else "was stopped"
    why = f": {ending['reason']}" if ending["reason"] else ""
    lines = "".join(f"\n    {line}" for line in ending["lines"]) if ending["state"] == "failed" else ""
    return f"rank {ending['rank']} on {ending['node']} {how}{why}{lines}"
