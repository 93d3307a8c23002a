"""What a rank tells of its training while it goes on: JSON lines in a file, one for every step.

The lines are, with times in seconds and traffic in bytes:

    {"event": "start", "time", "rank", "worldSize", "backend", "device", "torch", "interface", "parameters",
     "gradientBytes", "samples", "epochs"}
    {"event": "step", "time", "epoch", "step", "loss", "seconds", "computeSeconds", "communicationSeconds",
     "gradientBytes", "sentBytes", "receivedBytes"}
    {"event": "epoch", "time", "epoch", "step", "loss", "accuracy", "seconds"}
    {"event": "result", ...} with what the script's line RESULT says

In the line of a step gradientBytes is the payload that it hands to the group: 0 in a step in which nothing is averaged.
Another attempt of a run appends to the same file: of two lines about the same step the last one counts.
"""
from __future__ import annotations

import contextlib
import json
import math
import os
import time
from typing import Any, Iterator

import torch
from torch import Tensor, nn

from arguments import TrainingError
from model import count_parameters, gradient_bytes


class StepClock:
    """Splits the time of a training step into computing and waiting for the other ranks.

    Communication is what remains of the backward pass once this rank has computed all its own gradients: what
    DistributedDataParallel sent earlier, while others were still being computed, cost no time. To it comes what is sent
    after the backward pass, `communicating`.
    """

    def __init__(self, model: nn.Module, device: torch.device) -> None:
        self._on_cuda = device.type == "cuda"
        self._afterwards = 0.0
        if self._on_cuda:  # the GPU works behind the CPU's back: it notes the times itself
            self._ready, self._averaged = (torch.cuda.Event(enable_timing=True) for _ in range(2))
        self._ready_at = self._averaged_at = self._started = time.perf_counter()
        for parameter in model.parameters():
            parameter.register_hook(self._gradient_is_ready)

    def _gradient_is_ready(self, _gradient: Tensor) -> None:
        """Called for each parameter; the last call of a backward pass counts."""
        if self._on_cuda:
            self._ready.record(torch.cuda.current_stream())
        else:
            self._ready_at = time.perf_counter()

    def start(self) -> None:
        """The first step begins now; each further one where the one before ended."""
        self._started = time.perf_counter()

    def gradients_are_averaged(self) -> None:
        """To be called right after the backward pass."""
        if self._on_cuda:
            self._averaged.record(torch.cuda.current_stream())
        else:
            self._averaged_at = time.perf_counter()

    @contextlib.contextmanager
    def communicating(self) -> Iterator[None]:
        """Around what is sent, and waited for, after the backward pass."""
        if self._on_cuda:
            torch.cuda.synchronize()
        started = time.perf_counter()
        yield
        if self._on_cuda:
            torch.cuda.synchronize()
        self._afterwards += time.perf_counter() - started

    def end_step(self) -> tuple[float, float]:
        """The seconds of the whole step, and those of communication. The GPU must be done with it."""
        now = time.perf_counter()
        seconds, self._started = now - self._started, now
        waited = (self._ready.elapsed_time(self._averaged) / 1000 if self._on_cuda
                  else self._averaged_at - self._ready_at)
        afterwards, self._afterwards = self._afterwards, 0.0
        return seconds, min(waited + afterwards, seconds)


class Metrics:
    """Writes the lines of one rank; does nothing where no file is asked for.

    `interface` is the one, or several parted by commas, whose traffic is counted: of everything on it, and of all ranks
    of the node; "none" where there are no others. Raises TrainingError if the file cannot be written.
    """

    def __init__(self, output: str | None, rank: int, interface: str = "none") -> None:
        folder = os.environ.get("METRICS_DIR")
        path = output if output is not None or not folder else os.path.join(folder, f"rank-{rank}.jsonl")
        self._rank, self._interface = rank, interface
        self._file = None
        if path is None:
            return
        try:
            if path != output:
                os.makedirs(os.path.dirname(path), exist_ok=True)
            self._file = open(path, "ab", buffering=0)  # every line is one write: a reader can follow
            if not ends_with_whole_line(path):
                self._file.write(b"\n")
        except OSError as error:
            what = f"--output {path}" if path == output else f"{path}, in METRICS_DIR"
            raise TrainingError(f"cannot write {what}: {error.strerror}") from error

    def _write(self, line: dict[str, Any]) -> None:
        if self._file is None:
            return
        try:
            self._file.write(json.dumps(line).encode() + b"\n")
        except OSError as error:
            raise TrainingError(f"cannot write the metrics to {self._file.name}: {error.strerror}") from error

    def start(self, model: nn.Module, *, world_size: int, backend: str, device: torch.device, samples: int,
              epochs: int, sync: str | None = None, bucket_bytes: int | None = None, overlap_steps: int = 0) -> None:
        """Of this attempt; `samples` are those that this rank trains on in an epoch, `bucket_bytes` of gradients those that
        it sends together during the backward pass, `overlap_steps` those that it trains on while an average is under way.
        """
        self._write({
            "event": "start", "time": time.time(), "rank": self._rank, "worldSize": world_size, "backend": backend,
            "device": str(device), "torch": str(torch.__version__), "interface": self._interface,
            "parameters": count_parameters(model), "gradientBytes": gradient_bytes(model), "sync": sync,
            "bucketBytes": bucket_bytes, "overlapSteps": overlap_steps, "samples": samples, "epochs": epochs,
        })
        self._traffic = traffic_of(self._interface)

    def step(self, epoch: int, step: int, loss: float, seconds: float, communication_seconds: float = 0.0,
             payload: int = 0) -> int:
        """`step` counts from the start of the run, `payload` is what this rank has handed to the group; returns the bytes
        that were sent since the step before.
        """
        before, self._traffic = self._traffic, traffic_of(self._interface)
        sent, received = (now - then for now, then in zip(self._traffic, before))
        self._write({
            "event": "step", "time": time.time(), "epoch": epoch, "step": step, "loss": finite(loss), "seconds": seconds,
            "computeSeconds": seconds - communication_seconds, "communicationSeconds": communication_seconds,
            "gradientBytes": payload, "sentBytes": sent, "receivedBytes": received,
        })
        return sent

    def epoch(self, epoch: int, step: int, loss: float, accuracy: float, seconds: float) -> None:
        self._write({"event": "epoch", "time": time.time(), "epoch": epoch, "step": step, "loss": finite(loss),
                     "accuracy": accuracy, "seconds": seconds})

    def result(self, result: dict[str, Any]) -> None:
        self._write({"event": "result", **result})


def ends_with_whole_line(path: str) -> bool:
    """Not so where the process was killed, or the disk was full, within one."""
    with open(path, "rb") as file:
        if file.seek(0, os.SEEK_END) == 0:
            return True
        file.seek(-1, os.SEEK_END)
        return file.read() == b"\n"


def finite(value: float) -> float | None:
    """JSON knows no infinity and no NaN."""
    return value if math.isfinite(value) else None


def traffic_of(interface: str) -> tuple[int, int]:
    """Bytes that the interfaces (names parted by commas) sent and received, by the kernel's own count (see proc(5))."""
    if interface == "none":
        return 0, 0
    names, sent, received = interface.split(","), 0, 0
    with open("/proc/net/dev") as table:
        for line in table:
            name, _, counters = line.partition(":")
            if name.strip() in names:
                fields = counters.split()
                sent, received = sent + int(fields[8]), received + int(fields[0])
    return sent, received
