"""Text to train on, byte by byte: by default the sources of Python's standard library, which every node has."""
from __future__ import annotations

import os
import platform
import sysconfig
from typing import Iterator

import numpy
import torch

from arguments import TrainingError
from data import Samples

HELD_OUT = 20  # one window of so many


def text_files(path: str) -> Iterator[str]:
    """The file itself, or the files of a folder and of those below, in an order that is the same everywhere."""
    if os.path.isfile(path):
        yield path
    for folder, folders, names in os.walk(path):
        folders.sort()
        for name in sorted(names):
            if not name.startswith("."):
                yield os.path.join(folder, name)


def standard_library() -> Iterator[str]:
    """The modules of Python's standard library; not its packages, which systems pack and patch differently."""
    folder = sysconfig.get_paths()["stdlib"]
    for name in sorted(os.listdir(folder)):
        # These tell of the machine.
        if name.endswith(".py") and not name.startswith(("_sysconfigdata", "sitecustomize")):
            yield os.path.join(folder, name)


def name_of_text(path: str | None) -> str:
    return path or f"the standard library of Python {platform.python_version()} in {sysconfig.get_paths()['stdlib']}"


def read_text(path: str | None, length: int) -> bytes:
    """The first `length` bytes of a file, a folder, or the standard library; fewer where there are not so many."""
    parts, missing = [], length
    try:
        for name in standard_library() if path is None else text_files(path):
            if missing <= 0:
                break
            with open(name, "rb") as file:
                parts.append(file.read(missing))
            missing -= len(parts[-1])
    except OSError as error:
        raise TrainingError(f"{error.filename} cannot be read ({error.strerror}); name text that can be, with --data") from error
    if not parts:
        raise TrainingError(f"there is no text in {name_of_text(path)}; name "
                            "a file, or a folder with files, with --data")
    return b"".join(parts)


def windows(text: bytes, context: int, world_size: int, seed: int) -> Samples:
    """Windows of `context` bytes, each with the bytes that follow them (both uint8, N x context); they do not overlap."""
    count = (len(text) - 1) // context
    held_out = -(-count // HELD_OUT)
    training = (count - held_out) // world_size * world_size
    if training <= 0:
        raise TrainingError(f"{len(text)} bytes of text are too few for {world_size} ranks with windows of {context}; "
                            "give more with --data and --text-bytes")
    numbers = torch.from_numpy(numpy.frombuffer(text, dtype=numpy.uint8).copy())
    inputs, targets = (numbers[shift:shift + count * context].view(count, context) for shift in (0, 1))
    order = torch.randperm(count, generator=torch.Generator().manual_seed(seed))
    return Samples(inputs, targets, order[:training], order[training:])
