"""The digits' file is the same byte for byte wherever it is written."""
from __future__ import annotations

import hashlib
import json
import subprocess
from pathlib import Path

from processes import SCRIPTS


def write_digits(output: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(["/usr/bin/python3", str(SCRIPTS / "write_digits.py"), "--output", str(output)],
                          capture_output=True, text=True)


def test_writes_the_same_bytes_on_every_run(tmp_path: Path) -> None:
    sha256 = "0c2aff3ad3efa4c983d74435f40847c3f2dea3c33f362c61616f7b067d84c8fe"
    for name in ("one.npz", "other.npz"):
        told = write_digits(tmp_path / name)
        assert json.loads(told.stdout) == {"file": str(tmp_path / name), "sha256": sha256, "bytes": 117_275}
        assert hashlib.sha256((tmp_path / name).read_bytes()).hexdigest() == sha256


def test_leaves_an_existing_file_alone_when_it_cannot_write_and_says_why(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    told = write_digits(tmp_path / "file" / "digits.npz")
    assert told.returncode == 1
    assert f"cannot write {tmp_path}/file/digits.npz: Not a directory" in told.stderr
