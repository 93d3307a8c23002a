"""Fixtures that the tests of the training scripts share."""
from __future__ import annotations

import random
import subprocess
import sys
from pathlib import Path
from typing import Iterator, NamedTuple

import numpy
import pytest

SCRIPTS = Path(__file__).resolve().parents[3] / "scripts" / "train"
sys.path.insert(0, str(SCRIPTS))

from processes import Ended, Processes, succeed_all  # noqa: E402


@pytest.fixture(scope="session")
def digits(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """scikit-learn's digits, as the set-up writes them."""
    file = SCRIPTS / "data" / "digits.npz"
    if file.exists():
        return file
    file = tmp_path_factory.mktemp("data") / "digits.npz"
    subprocess.run(["/usr/bin/python3", str(SCRIPTS / "write_digits.py"), "--output", str(file)], check=True)
    return file


@pytest.fixture(scope="session")
def few_digits(digits: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """120 of them, for what does not hang on how much there is to learn: two ranks train on 48 each, three on 32."""
    file = tmp_path_factory.mktemp("few") / "digits.npz"
    with numpy.load(digits) as arrays:
        numpy.savez(file, **{name: values[:120] for name, values in arrays.items()})
    return file


class Learnt(NamedTuple):
    ends: list[Ended]
    metrics: Path


@pytest.fixture(scope="session")
def learnt(digits: Path, tmp_path_factory: pytest.TempPathFactory) -> Learnt:
    """Two ranks that have learnt the digits as a user's do, without flags for --sync: 8 epochs of 12 steps."""
    folder = tmp_path_factory.mktemp("learnt")
    with Processes(folder) as started:
        ends = succeed_all(started.start_ranks(2, "--data", digits, "--lr", 0.1, "--momentum", 0.9, "--epochs", 8,
                                               environment={"METRICS_DIR": str(folder)}))
    return Learnt(ends, folder)


@pytest.fixture
def processes(tmp_path: Path) -> Iterator[Processes]:
    """Starts scripts; those that still run when the test ends are killed."""
    with Processes(tmp_path) as started:
        yield started


@pytest.fixture
def chance() -> random.Random:
    """Random numbers, whose seed a failing test shows."""
    seed = random.SystemRandom().randrange(1 << 32)
    print(f"random seed: {seed}")
    return random.Random(seed)
