"""Fixtures that the tests of the training scripts share."""
from __future__ import annotations

import random
import subprocess
import sys
from pathlib import Path
from typing import Iterator

import pytest

SCRIPTS = Path(__file__).resolve().parents[3] / "scripts" / "train"
sys.path.insert(0, str(SCRIPTS))

from processes import Processes  # noqa: E402


@pytest.fixture(scope="session")
def digits(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """scikit-learn's digits, as the set-up writes them."""
    file = SCRIPTS / "data" / "digits.npz"
    if file.exists():
        return file
    file = tmp_path_factory.mktemp("data") / "digits.npz"
    subprocess.run(["/usr/bin/python3", str(SCRIPTS / "write_digits.py"), "--output", str(file)], check=True)
    return file


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
