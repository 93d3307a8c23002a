"""Runs scripts in processes forked from one that has imported PyTorch: the import takes longer than most trainings here."""
from __future__ import annotations

import ctypes
import multiprocessing
import os
import runpy
import signal
import sys
from multiprocessing import forkserver
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any, Callable, Mapping
from unittest import mock

from metrics import Metrics
from torch.multiprocessing.spawn import start_processes

HERE = Path(__file__).resolve().parent
SCRIPTS = HERE.parents[2] / "scripts" / "train"
# With these come all other modules of the scripts.
PRELOADED = ["char_lm", "mnist", "pytorch_mnist_dist", "pytorch_multi_gpu_test", "forked", "sync_ranks"]
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
    for descriptor, output in ((1, stdout), (2, stderr)):
        with open(output, "wb") as file:
            os.dup2(file.fileno(), descriptor)
    sys.stdout, sys.stderr = open(1, "w", closefd=False), open(2, "w", buffering=1, closefd=False)
    missing = [name for name in PRELOADED if name not in sys.modules]  # the server ignores failed imports
    assert not missing, f"the process that this one is forked from has not imported {missing}"
    threads = os.listdir(f"/proc/{os.getppid()}/task")
    assert len(threads) == 1, f"the process that this one is forked from has {len(threads)} threads"
    if namespace is not None:
        enter_network(namespace)
    if halt is not None:
        halt_in(halt)
    os.environ.clear()
    os.environ.update(environment)
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


def enter_network(namespace: str) -> None:
    """As `ip netns exec` does; the scripts do not look at what it also mounts."""
    library = ctypes.CDLL(None, use_errno=True)
    with open(f"/run/netns/{namespace}") as file:
        if library.setns(file.fileno(), CLONE_NEWNET) != 0:
            raise OSError(ctypes.get_errno(), f"cannot enter the network namespace {namespace}")
