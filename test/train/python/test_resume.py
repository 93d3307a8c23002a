"""A stopped or crashed run goes on from its checkpoints, and ends as one that was never stopped."""
from __future__ import annotations

import json
import re
import shutil
from pathlib import Path
from random import Random

import pytest
import torch
from checkpoint import Checkpoints, State
from processes import Process, Processes, events, metrics_of, succeed_all, wait_all, wait_until

LEARN = ["--lr", 0.02, "--momentum", 0.9, "--epochs", 3, "--batch-size", 4]
STEPS = {2: 3 * 12, 3: 3 * 8}  # by number of ranks


MODES = {
    "ddp": [],
    "fp16": ["--sync", "fp16"],
    "powersgd": ["--sync", "powersgd", "--powersgd-rank", 2, "--sync-warmup", 7],
    "local-sgd": ["--sync", "local-sgd", "--sync-every", 4, "--sync-warmup", 7],
    "diloco-fp32": ["--sync", "diloco", "--sync-every", 4, "--sync-precision", "fp32", "--lr", 0.003],
    "diloco-fp16": ["--sync", "diloco", "--sync-every", 4, "--lr", 0.003],
    "diloco-overlap": ["--sync", "diloco", "--sync-every", 4, "--sync-overlap", 3, "--lr", 0.003],
    "diloco-int8": ["--sync", "diloco", "--sync-every", 4, "--sync-precision", "int8", "--lr", 0.003],
}


class Wholes:
    """Folders of checkpoints, every 5 steps, and metrics of runs that were never stopped, by number of ranks and mode."""

    def __init__(self, few_digits: Path, factory: pytest.TempPathFactory) -> None:
        self._digits, self._factory = few_digits, factory
        self._made: dict[tuple[int, str], Path] = {}

    def of(self, count: int, mode: str = "ddp") -> Path:
        if (count, mode) not in self._made:
            folder = self._factory.mktemp("whole")
            with Processes(folder) as processes:
                succeed_all(all_ranks(processes, count, self._digits, folder, *MODES[mode]))
            self._made[count, mode] = folder
        return self._made[count, mode]


@pytest.fixture(scope="module")
def wholes(few_digits: Path, tmp_path_factory: pytest.TempPathFactory) -> Wholes:
    return Wholes(few_digits, tmp_path_factory)


@pytest.fixture
def whole(wholes: Wholes) -> Path:
    """Of two ranks."""
    return wholes.of(2)


def all_ranks(processes: Processes, count: int, few_digits: Path, folder: Path, *args: object,
              halt: dict[int, int] | None = None) -> list[Process]:
    """Ranks that keep states and metrics in the folder, and go on from those."""
    return processes.start_ranks(count, "--data", few_digits, *LEARN, "--checkpoint-dir", folder, "--checkpoint-every", 5, *args,
                                 environment={"METRICS_DIR": str(folder)}, halt=halt)


def result_in(folder: Path) -> dict[str, object]:
    """Without what is measured."""
    result = events(metrics_of(folder / "rank-0.jsonl"), "result")[-1]
    return {name: value for name, value in result.items()
            if not name.lower().endswith("secondsperstep") and name != "sentBytesPerStep"}


@pytest.mark.parametrize(["mode", "count", "victims"], [
    ("ddp", 2, (0,)), ("ddp", 2, (0, 1)), ("ddp", 3, (1,)), ("fp16", 2, (0,)), ("powersgd", 2, (1,)), ("local-sgd", 2, (0,)),
    ("diloco-fp32", 2, (1,)), ("diloco-fp16", 2, (0,)), ("diloco-overlap", 2, (0,)), ("diloco-int8", 3, (1,)),
], ids=str)
def test_a_run_killed_at_any_step_ends_with_the_parameters_of_one_that_never_was(
        processes: Processes, few_digits: Path, tmp_path: Path, wholes: Wholes, chance: Random, mode: str,
        count: int, victims: tuple[int, ...]) -> None:
    whole = wholes.of(count, mode)
    step = chance.randint(6, STEPS[count] - 7)
    print(f"killed at step {step} or soon after")
    # However busy the machine is, no rank gets to the end before the kill: the victim waits short of it, the others for it.
    ranks = all_ranks(processes, count, few_digits, tmp_path, "--timeout", 5, *MODES[mode], halt={victims[0]: STEPS[count] - 2})
    path = tmp_path / "rank-0.jsonl"
    wait_until(lambda: path.exists() and f'"step": {step}, ' in path.read_text(), f"step {step}")
    for victim in victims:
        ranks[victim].kill()
    assert all(end.code != 0 for end in wait_all(ranks))
    reached = events(metrics_of(path), "step")[-1]["step"]

    for end in succeed_all(all_ranks(processes, count, few_digits, tmp_path, *MODES[mode])):
        told = re.search(r"^rank \d: goes on after step (\d+), in epoch \d$", end.stdout, re.MULTILINE)
        assert told is not None
        assert reached - 10 <= int(told[1]) <= reached + 1
    assert result_in(tmp_path) == result_in(whole)
    # The metrics of both attempts, of two lines about a step the last one, are those of the run that was never stopped.
    losses = [{step["step"]: step["loss"] for step in events(metrics_of(folder / "rank-1.jsonl"), "step")}
              for folder in (tmp_path, whole)]
    assert losses[0] == losses[1]


def test_ranks_go_on_from_the_newest_state_that_all_have(
        processes: Processes, few_digits: Path, tmp_path: Path, whole: Path) -> None:
    folder = Path(shutil.copytree(whole, tmp_path / "copy"))
    for rank in (0, 1):
        assert sorted(file.name for file in (folder / f"rank-{rank}").iterdir()) == ["step-30.pt", "step-35.pt"]
    (folder / "rank-1" / "step-35.pt").unlink()
    for end in succeed_all(all_ranks(processes, 2, few_digits, folder)):
        assert "goes on after step 30, in epoch 3" in end.stdout
    assert result_in(folder) == result_in(whole)


def test_states_of_a_run_whose_other_rank_lost_its_own_make_way_for_those_that_both_have(
        tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    own = Checkpoints(str(tmp_path), 5, 0, {})
    for step in (30, 35):
        own.save(step, lambda: State({}, {}))
    monkeypatch.setattr("checkpoint.gather", lambda mine: [mine, torch.tensor([0, 0])])
    assert own.newest() is None
    assert [path.name for path in sorted((tmp_path / "rank-0").iterdir())] == ["step-30.pt.aside", "step-35.pt.aside"]
    own.save(5, lambda: State({}, {"steps": 5}))
    monkeypatch.setattr("checkpoint.gather", lambda mine: [mine, torch.tensor([5, 0])])
    found = own.newest()
    assert found is not None
    assert found.numbers == {"steps": 5}


def test_a_run_goes_on_with_buckets_for_another_link(
        processes: Processes, few_digits: Path, tmp_path: Path, whole: Path) -> None:
    folder = Path(shutil.copytree(whole, tmp_path / "copy"))
    for rank in (0, 1):
        (folder / f"rank-{rank}" / "step-35.pt").unlink()
    for end in succeed_all(all_ranks(processes, 2, few_digits, folder, "--bucket-mib", 0.25)):
        assert "goes on after step 30, in epoch 3" in end.stdout
    assert result_in(folder) == result_in(whole)


def test_a_run_with_other_settings_is_refused(processes: Processes, few_digits: Path, whole: Path) -> None:
    for end in wait_all(all_ranks(processes, 2, few_digits, whole, "--seed", 2)):
        assert end.code == 1
        assert re.search(r"step-35.pt was made with the settings .*'seed': 1.*, this run has .*'seed': 2", end.stderr)


def test_a_broken_state_is_named_with_what_to_do(
        processes: Processes, few_digits: Path, tmp_path: Path, whole: Path) -> None:
    folder = Path(shutil.copytree(whole, tmp_path / "copy"))
    for rank in (0, 1):
        path = folder / f"rank-{rank}" / "step-35.pt"
        path.write_bytes(path.read_bytes()[:1000])
    for rank, end in enumerate(wait_all(all_ranks(processes, 2, few_digits, folder))):
        assert end.code == 1
        assert f"the checkpoint {folder}/rank-{rank}/step-35.pt cannot be read (" in end.stderr
        assert "delete it on every node to go on from the one before" in end.stderr


def test_states_hold_nothing_but_numbers_tensors_and_words(whole: Path) -> None:
    state = torch.load(whole / "rank-0" / "step-35.pt", weights_only=True)
    assert json.loads(state["settings"]) == {
        "dataset": "digits", "world_size": 2, "batch_size": 4, "lr": 0.02, "momentum": 0.9, "seed": 1, "sync": "ddp",
        "sync_every": 20, "sync_precision": "fp16", "sync_overlap": 0, "powersgd_rank": 4, "sync_warmup": 0, "outer_lr": 0.7,
        "outer_momentum": 0.9,
    }
    assert json.loads(state["numbers"])["steps"] == 35
    assert sorted(state["tensors"]) == ["model", "optimizer", "seen", "shard", "sync"]
