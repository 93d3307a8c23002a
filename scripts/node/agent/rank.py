"""A rank's folder on this node, ~/.crosszone/runs/RUN/rank-N: `log`, `log.times` (how long the log was, second by second),
`state.json`, `reserved`, room for that in the end, and `lock`, the lock under which the state changes.
"""
import contextlib
import fcntl
import json
import os
import re
import time

from causes import full_disk
from checks import AgentError

TAIL_LINES = 20
TAIL_BYTES = 256 * 1024  # how much of the end of a log is searched for its last lines and result
RESERVED_BYTES = 1 << 16
MAX_LINE = 1000  # characters of a line that is shown
RESULT_PREFIX = b"RESULT "
HARMLESS = b"Unexpected end of /proc/mounts line"  # NVIDIA's driver says it in containers


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
        self.reserved = os.path.join(self.directory, "reserved")
        self.container = f"crosszone-{run_id}-{rank}"
        # Of all attempts of the run: the next one goes on from there.
        self.checkpoints = os.path.join(runs_directory(), run_id, "checkpoints")
        self.metrics = os.path.join(runs_directory(), run_id, "metrics")

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
            return {"runId": self.run_id, "rank": self.rank, "ranks": [self.rank], "attempt": 0, "state": "absent", "pid": None}
        if state["state"] == "running" and not is_alive(state["supervisor"]):
            # It may have recorded the end between the two looks.
            with open(self.state_file) as file:
                state = json.load(file)
            if state["state"] == "running":
                state.update(state="failed", endedAt=max(state["startedAt"], os.path.getmtime(self.log)),
                             reason=full_disk(self.directory) or "its supervisor is gone: it was killed, or the node was restarted")
        # A state of before there was torchrun tells no ranks.
        return {"ranks": [self.rank], **state}

    def reserve(self):
        """Room for the state in the end, on a disk that is full by then."""
        with open(self.reserved, "wb") as file:
            file.write(os.urandom(RESERVED_BYTES))

    def free_reserved(self):
        with contextlib.suppress(FileNotFoundError):
            os.unlink(self.reserved)

    def write(self, state):
        try:
            self.write_once(state)
        except OSError:
            self.free_reserved()
            self.write_once(state)

    def write_once(self, state):
        temporary = f"{self.state_file}.{os.getpid()}"
        with open(temporary, "w") as file:
            json.dump(state, file)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, self.state_file)

    def tail(self):
        """The last lines of the log, and what its RESULT lines hold: one of each rank that it is the log of."""
        try:
            with open(self.log, "rb") as file:
                file.seek(max(0, file.seek(0, os.SEEK_END) - TAIL_BYTES))
                lines = file.read().splitlines()
        except FileNotFoundError:
            lines = []
        results = []
        for line in lines:
            if line.startswith(RESULT_PREFIX):
                with contextlib.suppress(ValueError):
                    results.append(json.loads(line[len(RESULT_PREFIX):]))
        shown = [cut(line) for line in lines if not line.startswith(RESULT_PREFIX) and HARMLESS not in line]
        return shown[-TAIL_LINES:], results

    def note_size(self, noted):
        """Appends to `log.times` how long the log is by now, if it has grown; returns that."""
        size = os.path.getsize(self.log)
        if size != noted:
            with contextlib.suppress(OSError), open(f"{self.log}.times", "a") as times:
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
        return {"runId": self.run_id, "rank": self.rank, "ranks": state["ranks"], "attempt": state["attempt"], "state": state["state"],
                "exitCode": state.get("exitCode"), "reason": state.get("reason"),
                "seconds": round(ended - state["startedAt"], 3) if "startedAt" in state else None,
                "results": self.tail()[1]}


def cut(line):
    text = line.decode("utf-8", "replace")
    return text if len(text) <= MAX_LINE else f"{text[:MAX_LINE]}… ({len(text) - MAX_LINE} more characters)"


def identity(pid):
    """What tells a process from a later one with the same pid: its start time, and the boot it belongs to."""
    with open(f"/proc/{pid}/stat") as file:
        fields = file.read().rpartition(")")[2].split()
    with open("/proc/sys/kernel/random/boot_id") as file:
        return {"pid": pid, "startTime": int(fields[19]), "bootId": file.read().strip(), "zombie": fields[0] == "Z"}


def boot():
    """A name for this node's last start, as facts.py tells it: the kernel's, and when its first process began."""
    try:
        first = identity(1)
    except OSError:
        return ""
    return f"{first['bootId']}-{first['startTime']}"


def is_alive(process):
    try:
        return identity(process["pid"]) == process
    except (FileNotFoundError, ProcessLookupError):
        return False
