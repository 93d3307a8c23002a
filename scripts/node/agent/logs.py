"""Shows the logs of ranks."""
import contextlib
import os
import select
import sys
import time

from checks import REQUIRED, AgentError, check
from launch import POLL_SECONDS, launch
from rank import HARMLESS, RESULT_PREFIX, Rank, cut

MAX_LINES = 3000  # lines that `follow` shows
MAX_PARTIAL = 1 << 20  # bytes without a line end that `follow` collects before it shows them as a line


class Lines:
    """The lines of a log as it grows. NVIDIA's harmless message is among them once, with a note."""

    def __init__(self):
        self.partial, self.is_noted = b"", False

    def feed(self, content):
        *lines, self.partial = (self.partial + content).split(b"\n")
        if len(self.partial) > MAX_PARTIAL:
            lines, self.partial = [*lines, self.partial], b""
        return [line for line in map(self.noted, lines) if line is not None]

    def rest(self):
        return [] if self.partial == b"" else [line for line in [self.noted(self.partial)] if line is not None]

    def noted(self, line):
        if HARMLESS not in line:
            return line
        if self.is_noted:
            return None
        self.is_noted = True
        return line + b" (harmless: NVIDIA's driver says this in containers; it is shown once)"


class Printer:
    """Prints the lines of a log, prefixed and bounded."""

    def __init__(self, rank):
        self.prefix, self.lines, self.shown, self.left_out = f"rank {rank} | ", Lines(), 0, 0

    def feed(self, content):
        for line in self.lines.feed(content):
            self.line(line)

    def line(self, line):
        if line.startswith(RESULT_PREFIX):
            return
        if self.shown < MAX_LINES:
            self.shown += 1
            print(self.prefix + cut(line), flush=True)
        else:
            self.left_out += 1

    def finish(self, log):
        for line in self.lines.rest():
            self.line(line)
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
        with contextlib.suppress(OSError):
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
        lines = Lines()
        while True:
            state = this.read()  # before the log, as in `follow`
            for content in iter(lambda: log.read(MAX_PARTIAL), b""):
                write(lines.feed(content), b"\n")
            if not follows or state["state"] != "running":
                write(lines.rest(), b"")
                return None
            if listener.poll(POLL_SECONDS * 1000):
                raise BrokenPipeError


def write(lines, end):
    sys.stdout.buffer.write(b"".join(line + end for line in lines))
    sys.stdout.flush()
