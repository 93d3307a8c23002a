"""Why a rank failed that cannot say so itself."""
from __future__ import annotations

import os
import re
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[3] / "scripts" / "node" / "agent"))

import causes  # noqa: E402

GIB = 1 << 30


def watched(monkeypatch: pytest.MonkeyPatch, kills: list[int | None], free: list[int]) -> causes.Causes:
    """A node of 2 GiB on which the kernel has ended so many processes, and so much memory was free, one look after another."""
    monkeypatch.setattr(causes, "oom_kills", lambda: kills.pop(0))
    monkeypatch.setattr(causes, "available_memory", lambda: free.pop(0))
    monkeypatch.setattr(causes, "total_memory", lambda: 2 * GIB)
    watch = causes.Causes()
    for _ in range(len(free)):
        watch.tick()
    return watch


def test_the_ooms_killer_is_named_with_the_memory_and_what_to_lower(monkeypatch: pytest.MonkeyPatch) -> None:
    told = watched(monkeypatch, [3, 4], [GIB, GIB // 10, GIB]).explain(137, [])
    assert told == ("the kernel's OOM killer has ended a process of this node, since memory ran out: the node has 2.0 GiB of memory, "
                    "of which 0.1 GiB were free at the least. Lower crosszone:training.batchSize or the ranks of a node "
                    "(crosszone:training.gpusPerNode), or take a shape with more memory (crosszone:zones[].shape)")


def test_a_kill_by_somebody_is_told_apart(monkeypatch: pytest.MonkeyPatch) -> None:
    told = watched(monkeypatch, [3, 3], [GIB]).explain(137, [])
    assert told == ("it was killed (SIGKILL) by somebody, not by the kernel for want of memory: the node has 2.0 GiB of memory, "
                    "of which 1.0 GiB were free at the least")


def test_an_old_kernel_tells_of_no_kills(monkeypatch: pytest.MonkeyPatch) -> None:
    told = watched(monkeypatch, [None, None], [GIB]).explain(137, []) or ""
    assert told.startswith("it was killed (SIGKILL), by somebody or by the kernel for want of memory: ")
    assert "Lower crosszone:training.batchSize" in told


@pytest.mark.parametrize(["code", "says"], [
    (139, r"^it crashed in native code \(SIGSEGV\): PyTorch and .* do(es)? it too \(crosszone:training.container.options: \[--shm-size, 1g\]\)$"),
    (135, r"^it crashed in native code \(SIGBUS\): shared memory was full"),
    (132, r"^it crashed in native code \(SIGILL\): PyTorch was built for another processor$"),
], ids=str)
def test_a_crash_is_explained(monkeypatch: pytest.MonkeyPatch, code: int, says: str) -> None:
    assert re.search(says, watched(monkeypatch, [0], [GIB]).explain(code, []) or "")


@pytest.mark.parametrize("code", [0, 1, 3, 143])
def test_an_exit_code_of_its_own_is_not_explained(monkeypatch: pytest.MonkeyPatch, code: int) -> None:
    assert watched(monkeypatch, [0], [GIB]).explain(code, ["error: something"]) is None


def test_torchrun_says_which_signal_ended_its_rank(monkeypatch: pytest.MonkeyPatch) -> None:
    lines = ["Root Cause (first observed failure):", "  exitcode  : -9 (pid: 71)"]
    assert "OOM killer" in (watched(monkeypatch, [0, 1], [GIB]).explain(1, lines) or "")


def test_the_memory_of_this_machine_is_read() -> None:
    assert 0 < causes.available_memory() <= causes.total_memory()
    kills = causes.oom_kills()
    assert kills is None or kills >= 0


def test_a_full_disk_is_named_with_what_to_do(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    assert causes.full_disk(str(tmp_path)) is None
    real = os.statvfs(tmp_path)
    full = os.statvfs_result((real.f_bsize, 4096, 1 << 21, 25, 25, 1000, 1000, 1000, 0, 255))
    monkeypatch.setattr(os, "statvfs", lambda _path: full)
    told = causes.full_disk("/home/ubuntu") or ""
    assert told.startswith("the disk of this node is full: 100 KiB of 8.0 GiB are free at /home/ubuntu. Delete what is not needed")
