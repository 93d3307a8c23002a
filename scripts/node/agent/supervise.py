"""The process that starts a rank, detached from whoever asked, waits for it and records how it ended.

The rank cannot outlive its supervisor.
"""
import contextlib
import ctypes
import os
import signal
import subprocess
import sys
import time

from checks import AgentError
from rank import identity

STOP_GRACE = 5  # seconds between SIGTERM and SIGKILL
NOTE_SECONDS = 1  # between two notes of how long the log is
PR_SET_PDEATHSIG = 1


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
