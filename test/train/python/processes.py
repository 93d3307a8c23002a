"""Runs the training scripts as processes of a test, and makes sure that none outlives it."""
from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import Any, Callable, Mapping, NamedTuple

SCRIPTS = Path(__file__).resolve().parents[3] / "scripts" / "train"
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
    def __init__(self, argv: list[str], environment: Mapping[str, str], log: Path) -> None:
        self._stdout, self._stderr = log.with_suffix(".stdout"), log.with_suffix(".stderr")
        surroundings = {name: value for name, value in os.environ.items()
                        if name not in ("METRICS_DIR", "CHECKPOINT_DIR", "CHECKPOINT_EVERY", "BUCKET_MIB")}
        with open(self._stdout, "w") as out, open(self._stderr, "w") as err:
            self.popen = subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=out, stderr=err,
                                          # torchrun makes a folder for logs there, and leaves it.
                                          env={**surroundings, "PYTHONDONTWRITEBYTECODE": "1", "TMPDIR": str(log.parent),
                                               **environment})

    @property
    def stdout(self) -> str:
        return self._stdout.read_text()

    def wait(self, seconds: float = SLOW) -> Ended:
        try:
            code = self.popen.wait(seconds)
        except subprocess.TimeoutExpired:
            raise AssertionError(f"it still runs after {seconds} s:\n{self.stdout}\n{self._stderr.read_text()}") from None
        return Ended(code, self.stdout, self._stderr.read_text())

    def kill(self) -> None:
        self.popen.kill()
        self.popen.wait()

    def terminate(self, seconds: float = 10) -> None:
        """Lets it end what it started, then kills it."""
        self.popen.terminate()
        try:
            self.popen.wait(seconds)
        except subprocess.TimeoutExpired:
            self.kill()


class Processes:
    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._started: list[Process] = []

    def __enter__(self) -> Processes:
        return self

    def __exit__(self, *_: object) -> None:
        for process in self._started:
            if process.popen.poll() is None:
                process.popen.send_signal(signal.SIGCONT)
                process.terminate()

    def start(self, script: str, *args: object, environment: Mapping[str, str] | None = None,
              prefix: tuple[str, ...] = ()) -> Process:
        """`script` is one of scripts/train; `prefix` comes before Python."""
        return self.start_python(str(SCRIPTS / script), *args, environment=environment, prefix=prefix)

    def start_python(self, *args: object, environment: Mapping[str, str] | None = None,
                     prefix: tuple[str, ...] = ()) -> Process:
        argv = [*prefix, sys.executable, *map(str, args)]
        process = Process(argv, environment or {}, self._folder / f"process-{len(self._started)}")
        self._started.append(process)
        return process

    def run(self, script: str, *args: object, environment: Mapping[str, str] | None = None) -> Ended:
        return self.start(script, *args, environment=environment).wait()

    def start_ranks(self, count: int, *args: object, environment: Mapping[str, str] | None = None) -> list[Process]:
        """The ranks of one run, all with the same arguments, on the CPU, on this machine's loopback."""
        port = free_port()
        return [self.start_rank(rank, count, port, *args, environment=environment) for rank in range(count)]

    def start_rank(self, rank: int, count: int, port: int, *args: object,
                   environment: Mapping[str, str] | None = None, script: str = "pytorch_mnist_dist.py") -> Process:
        place = ["--master-addr", "127.0.0.1", "--master-port", port, "--world-size", count, "--rank", rank]
        return self.start(script, *place, "--no-cuda", *args, environment=environment)


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
