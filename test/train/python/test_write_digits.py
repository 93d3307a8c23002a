"""The digits' file is the same byte for byte wherever it is written."""
from __future__ import annotations

import hashlib
import json
import subprocess
from pathlib import Path

import pytest
import write_digits
from processes import SCRIPTS

SHA256 = "0c2aff3ad3efa4c983d74435f40847c3f2dea3c33f362c61616f7b067d84c8fe"


def check(told: str, file: Path) -> None:
    assert json.loads(told) == {"file": str(file), "sha256": SHA256, "bytes": 117_275}
    assert hashlib.sha256(file.read_bytes()).hexdigest() == SHA256


def test_writes_the_same_bytes_on_every_run(
        tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "one.npz"
    check(subprocess.run(["/usr/bin/python3", str(SCRIPTS / "write_digits.py"), "--output", str(file)], check=True,
                         capture_output=True, text=True).stdout, file)
    monkeypatch.setattr("sys.argv", ["write_digits.py", "--output", str(tmp_path / "other.npz")])
    write_digits.main()
    check(capsys.readouterr().out, tmp_path / "other.npz")


def test_leaves_an_existing_file_alone_when_it_cannot_write_and_says_why(
        tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setattr("sys.argv", ["write_digits.py", "--output", str(tmp_path / "file" / "digits.npz")])
    with pytest.raises(SystemExit) as ended:
        write_digits.main()
    # Which Python prints, and ends with exit code 1.
    assert f"cannot write {tmp_path}/file/digits.npz: Not a directory" in str(ended.value.code)
