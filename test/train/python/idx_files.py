"""Small files in MNIST's format, made up by the tests: the real ones are not at hand."""
from __future__ import annotations

import gzip
import struct
from pathlib import Path
from typing import Any

import numpy


def write_idx(path: Path, values: numpy.ndarray[Any, Any], compressed: bool = False) -> None:
    content = struct.pack(f">BBBB{values.ndim}I", 0, 0, 8, values.ndim, *values.shape) + values.tobytes()
    (path.with_name(f"{path.name}.gz") if compressed else path).write_bytes(gzip.compress(content) if compressed else content)


def write_mnist(folder: Path, training: int, test: int, compressed: bool = False) -> None:
    """The four files: image k is full of the value 6 k (modulo 256), its label is k modulo 10."""
    for name, count in (("train", training), ("t10k", test)):
        numbers = numpy.arange(count)
        images = numpy.broadcast_to((6 * numbers % 256).astype(numpy.uint8)[:, None, None], (count, 28, 28))
        write_idx(folder / f"{name}-images-idx3-ubyte", numpy.ascontiguousarray(images), compressed)
        write_idx(folder / f"{name}-labels-idx1-ubyte", (numbers % 10).astype(numpy.uint8), compressed)
