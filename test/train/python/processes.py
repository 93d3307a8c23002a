"""Runs the training scripts as processes of a test, and makes sure that none outlives it."""
from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any, Callable, Mapping, NamedTuple

from forked import SCRIPTS, serve_stand_ins, start_script

SLOW = 120.0  # seconds; importing PyTorch takes 12 for the first time, and longer on a busy machine


class Ended(NamedTuple):
    code: int  # negative: the signal
    stdout: str
    stderr: str

    @property
    def result(self) -> dict[str, Any]:
        """What the one line RESULT says."""
        lines = [line for line in self.stdout.splitlines() if line.startswith("RESULT ")]
        assert len(lines) == 1, f"{self.stdout}\n{self.stderr}"
        return json.loads(lines[0][len("RESULT "):])


class Process:
    """A started script. Its output lies in files."""

    def __init__(self, started: subprocess.Popen[bytes] | BaseProcess, stdout: Path, stderr: Path) -> None:
        assert started.pid is not None
        self.pid = started.pid
        self._started, self._stdout, self._stderr = started, stdout, stderr

    @property
    def stdout(self) -> str:
        return self._stdout.read_text()

    def _code(self, seconds: float) -> int | None:
        """The exit code, or None if it still runs after so many seconds."""
        if isinstance(self._started, BaseProcess):
            self._started.join(seconds)
            return self._started.exitcode
        try:
            return self._started.wait(seconds)
        except subprocess.TimeoutExpired:
            return None

    def wait(self, seconds: float = SLOW) -> Ended:
        code = self._code(seconds)
        assert code is not None, f"it still runs after {seconds} s:\n{self.stdout}\n{self._stderr.read_text()}"
        return Ended(code, self.stdout, self._stderr.read_text())

    def send(self, number: signal.Signals) -> None:
        if self._code(0) is None:
            os.kill(self.pid, number)

    def kill(self) -> None:
        self.send(signal.SIGKILL)
        self.wait()

    def end(self, seconds: float = 10) -> None:
        """Lets it end what it started, then kills it."""
        self.send(signal.SIGCONT)
        self.send(signal.SIGTERM)
        if self._code(seconds) is None:
            self.kill()


class Processes:
    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._started: list[Process] = []
        self._server: BaseProcess | None = None

    def __enter__(self) -> Processes:
        return self

    def __exit__(self, *_: object) -> None:
        for process in self._started:
            process.end()
        if self._server is not None:
            self._server.kill()
            self._server.join()

    def start(self, script: str, *args: object, environment: Mapping[str, str] | None = None,
              namespace: str | None = None, halt: int | None = None) -> Process:
        """`script` is one of scripts/train. It runs in a fork, see forked.py, in the network namespace if one is named.

        Of a script that trains, `halt` is a step from which it does not go on: it waits to be killed.
        """
        stdout, stderr, surroundings = self._surroundings(environment)
        started = start_script(SCRIPTS / script, [*map(str, args)], surroundings, stdout, stderr, namespace,
                               halt)
        return self._add(Process(started, stdout, stderr))

    def with_stand_ins(self, halt: tuple[int, int] | None = None) -> dict[str, str]:
        """Variables with which torchrun and pytorch_multi_gpu_test.py start their workers in forks too. Once a test.

        `halt` is a rank of torchrun's and a step from which its first attempt does not go on.
        """
        self._server, variables = serve_stand_ins(self._folder, halt)
        return variables

    def start_itself(self, script: str, *args: object, environment: Mapping[str, str] | None = None,
                     prefix: tuple[str, ...] = ()) -> Process:
        """Starts one of scripts/train as a user does, in a new Python. Each script has a test that does so."""
        return self.start_python(SCRIPTS / script, *args, environment=environment, prefix=prefix)

    def start_python(self, *args: object, environment: Mapping[str, str] | None = None,
                     prefix: tuple[str, ...] = ()) -> Process:
        """`prefix` comes before Python."""
        stdout, stderr, surroundings = self._surroundings(environment)
        with open(stdout, "w") as out, open(stderr, "w") as err:
            started = subprocess.Popen([*prefix, sys.executable, *map(str, args)], stdin=subprocess.DEVNULL, stdout=out,
                                       stderr=err, env=surroundings)
        return self._add(Process(started, stdout, stderr))

    def _surroundings(self, environment: Mapping[str, str] | None) -> tuple[Path, Path, dict[str, str]]:
        """New files for the output, and all variables of the environment."""
        log = self._folder / f"process-{len(self._started)}"
        kept = {name: value for name, value in os.environ.items()
                if name not in ("METRICS_DIR", "CHECKPOINT_DIR", "CHECKPOINT_EVERY", "BUCKET_MIB")}
        # torchrun makes a folder for logs in TMPDIR, and leaves it.
        own = {"PYTHONDONTWRITEBYTECODE": "1", "TMPDIR": str(self._folder)}
        stdout, stderr = log.with_suffix(".stdout"), log.with_suffix(".stderr")
        for output in (stdout, stderr):
            output.touch()
        return stdout, stderr, {**kept, **own, **(environment or {})}

    def _add(self, process: Process) -> Process:
        self._started.append(process)
        return process

    def run(self, script: str, *args: object, environment: Mapping[str, str] | None = None) -> Ended:
        return self.start(script, *args, environment=environment).wait()

    def start_ranks(self, count: int, *args: object, environment: Mapping[str, str] | None = None,
                    halt: Mapping[int, int] | None = None) -> list[Process]:
        """The ranks of one run, all with the same arguments, on the CPU, on this machine's loopback; `halt` by rank."""
        port = free_port()
        return [self.start_rank(rank, count, port, *args, environment=environment, halt=(halt or {}).get(rank))
                for rank in range(count)]

    def start_rank(self, rank: int, count: int, port: int, *args: object,
                   environment: Mapping[str, str] | None = None, script: str = "pytorch_mnist_dist.py",
                   halt: int | None = None, itself: bool = False) -> Process:
        """One of these ranks; `itself` starts the script as a user does."""
        place = ["--master-addr", "127.0.0.1", "--master-port", port, "--world-size", count, "--rank", rank]
        if itself:
            return self.start_itself(script, *place, "--no-cuda", *args, environment=environment)
        return self.start(script, *place, "--no-cuda", *args, environment=environment, halt=halt)


def wait_all(ranks: list[Process], seconds: float = SLOW) -> list[Ended]:
    return [rank.wait(seconds) for rank in ranks]


def succeed_all(ranks: list[Process], seconds: float = SLOW) -> list[Ended]:
    ends = wait_all(ranks, seconds)
    assert [(end.code, end.stderr) for end in ends] == [(0, "")] * len(ranks)
    return ends


def wait_until(condition: Callable[[], object], what: str, seconds: float = SLOW) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, f"not within {seconds} s: {what}"
        time.sleep(0.005)


def free_port(address: str = "127.0.0.1") -> int:
    with socket.socket() as free:
        free.bind((address, 0))
        return free.getsockname()[1]


def metrics_of(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text().splitlines()]


def events(lines: list[dict[str, Any]], event: str) -> list[dict[str, Any]]:
    return [line for line in lines if line["event"] == event]
