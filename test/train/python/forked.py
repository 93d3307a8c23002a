"""Runs scripts in processes forked from one that has imported PyTorch: the import takes longer than most trainings here."""
from __future__ import annotations

import contextlib
import ctypes
import json
import multiprocessing
import os
import runpy
import signal
import socket
import sys
from multiprocessing import forkserver
from multiprocessing.connection import wait
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any, Callable, Mapping
from unittest import mock

from metrics import Metrics
from torch.multiprocessing.spawn import start_processes

HERE = Path(__file__).resolve().parent
SCRIPTS = HERE.parents[2] / "scripts" / "train"
STAND_IN = HERE / "stand_in.py"
# With these come all other modules of the scripts.
PRELOADED = ["char_lm", "mnist", "pytorch_mnist_dist", "pytorch_multi_gpu_test", "torch.distributed.run", "forked",
             "sync_ranks"]
CLONE_NEWNET = 0x40000000  # see setns(2)


def start_server() -> None:
    """Starts the process that the others are forked from, if it does not run yet."""
    multiprocessing.set_forkserver_preload(PRELOADED)
    # A fork has none of its parent's threads: PyTorch and NumPy must not start any.
    settings = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "PYTHONPATH": f"{SCRIPTS}:{HERE}"}
    with mock.patch.dict(os.environ, settings):
        forkserver.ensure_running()


def start_script(path: Path, args: list[str], environment: Mapping[str, str], stdout: Path, stderr: Path,
                 namespace: str | None = None, halt: int | None = None) -> BaseProcess:
    start_server()
    process = multiprocessing.get_context("forkserver").Process(
        target=run_script, args=(str(path), args, environment, stdout, stderr, namespace, halt), daemon=True)
    process.start()
    return process


def fork_all(function: Callable[..., None], count: int, *args: object) -> None:
    """Calls it in so many processes, with rank, count and the arguments; fails if one of them does."""
    start_server()
    start_processes(function, (count, *args), nprocs=count, start_method="forkserver")


def run_script(path: str, args: list[str], environment: Mapping[str, str], stdout: Path, stderr: Path,
               namespace: str | None, halt: int | None) -> None:
    """Does what `python path args` does, in the network namespace if one is named; waits for its end in step `halt`."""
    with open(stdout, "wb") as out, open(stderr, "wb") as err:
        take_output(out.fileno(), err.fileno())
    check_origin()
    if namespace is not None:
        with open(f"/run/netns/{namespace}") as file:
            enter_network(file.fileno())
    if halt is not None:
        halt_in(halt)
    become(path, args, environment)


def take_output(stdout: int, stderr: int) -> None:
    os.dup2(stdout, 1)
    os.dup2(stderr, 2)
    sys.stdout, sys.stderr = open(1, "w", closefd=False), open(2, "w", buffering=1, closefd=False)


def check_origin() -> None:
    missing = [name for name in PRELOADED if name not in sys.modules]  # the server ignores failed imports
    assert not missing, f"the process that this one is forked from has not imported {missing}"
    threads = os.listdir(f"/proc/{os.getppid()}/task")
    assert len(threads) == 1, f"the process that this one is forked from has {len(threads)} threads"


def become(path: str, args: list[str], environment: Mapping[str, str]) -> None:
    os.environ.clear()
    os.environ.update(environment)
    sys.executable = environment.get("PYTHON_EXEC", sys.executable)  # torchrun's name for it
    sys.argv = [path, *args]
    sys.path.insert(0, os.path.dirname(path))
    runpy.run_path(path, run_name="__main__")


def halt_in(last: int) -> None:
    """Once the metrics have the step, it goes no further."""
    original = Metrics.step

    def step_or_halt(metrics: Metrics, epoch: int, step: int, *args: Any) -> int:
        sent = original(metrics, epoch, step, *args)
        while step == last:
            signal.pause()
        return sent

    mock.patch.object(Metrics, "step", step_or_halt).start()


def enter_network(namespace: int) -> None:
    """As `ip netns exec` does; the scripts do not look at what it also mounts."""
    library = ctypes.CDLL(None, use_errno=True)
    if library.setns(namespace, CLONE_NEWNET) != 0:
        raise OSError(ctypes.get_errno(), "cannot enter the network namespace")


def serve_stand_ins(folder: Path, halt: tuple[int, int] | None) -> tuple[BaseProcess, dict[str, str]]:
    """A process that forks for each stand_in.py, and the variables that have programs start those in place of Python.

    `halt` is a rank and the step in which its first attempt waits for its end.
    """
    start_server()
    address = str(folder / "python")
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(address)
        listening.listen()
        server = multiprocessing.get_context("forkserver").Process(target=fork_for_stand_ins, args=(listening, halt))
        server.start()
    return server, {"PYTHON_EXEC": str(STAND_IN), "FORKED_PYTHON": address}


def fork_for_stand_ins(listening: socket.socket, halt: tuple[int, int] | None) -> None:
    check_origin()
    while True:
        connection, _ = listening.accept()
        with connection:
            multiprocessing.get_context("fork").Process(target=run_for_stand_in, args=(connection, halt)).start()


def run_for_stand_in(connection: socket.socket, halt: tuple[int, int] | None) -> None:
    """Between a stand-in and the script that runs for it."""
    length, descriptors, _, _ = socket.recv_fds(connection, 4, 3)
    request = json.loads(connection.recv(int.from_bytes(length, "big"), socket.MSG_WAITALL))
    script = multiprocessing.get_context("fork").Process(target=run_as_stand_in, args=(descriptors, halt), kwargs=request)
    script.start()
    assert script.pid is not None
    while script.sentinel not in wait([connection, script.sentinel]):
        numbers = connection.recv(1)
        os.kill(script.pid, numbers[0] if numbers else signal.SIGKILL)
    script.join()
    with contextlib.suppress(BrokenPipeError):  # it was killed
        connection.sendall(str(script.exitcode).encode())


def run_as_stand_in(descriptors: list[int], halt: tuple[int, int] | None, args: list[str],
                    environment: dict[str, str]) -> None:
    """Does what Python does with the arguments; the name of the process is its rank."""
    stdout, stderr, network = descriptors
    take_output(stdout, stderr)
    enter_network(network)
    rank = environment.get("RANK")
    Path("/proc/self/comm").write_text(f"rank-{rank}")
    if halt is not None and rank == str(halt[0]) and environment["TORCHELASTIC_RESTART_COUNT"] == "0":
        halt_in(halt[1])
    path, *args = [word for word in args if word != "-u"]
    become(path, args, environment)
