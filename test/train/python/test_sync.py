"""The ways in which ranks come together: each learns, ends with the same parameters on all ranks, and hands over as few
bytes as it promises."""
from __future__ import annotations

from multiprocessing import get_context
from pathlib import Path
from typing import NamedTuple

import pytest
import torch
from conftest import Learnt
from forked import fork_all
from processes import Processes, events, free_port, metrics_of, succeed_all, wait_all
from sync import Averager
from sync_ranks import average_on, train_ahead, walk_on

PARAMETERS = 38_282
STEPS = 96  # 8 epochs of 12
BATCH = {2: 64, 3: 43}  # by number of ranks
LEARN = ["--epochs", 8, "--momentum", 0.9, "--lr"]
# Of conv 16 x 9, conv 32 x 144, linear 64 x 512 and linear 10 x 64, approximated by rank 2 where that halves them at least;
# and all biases.
POWERSGD_2 = 4 * (2 * (16 + 9 + 32 + 144 + 64 + 512 + 10 + 64) + 16 + 32 + 64 + 10)


class Mode(NamedTuple):
    flags: list[object]
    lr: float
    payloads: list[int]  # of each step

    @staticmethod
    def every(steps: int, flags: list[object], lr: float, payload: int, warmup: int = 0) -> Mode:
        """After a warm-up with all gradients; the last step always."""
        return Mode([*flags, "--sync-every", steps], lr, [
            4 * PARAMETERS if step <= warmup else 0 if (step - warmup) % steps and step < STEPS else payload
            for step in range(1, STEPS + 1)])


MODES = {
    "ddp": Mode([], 0.1, [4 * PARAMETERS] * STEPS),
    "fp16": Mode(["--sync", "fp16"], 0.1, [2 * PARAMETERS] * STEPS),
    "bf16": Mode(["--sync", "bf16"], 0.1, [2 * PARAMETERS] * STEPS),
    "powersgd": Mode(["--sync", "powersgd", "--powersgd-rank", 2], 0.07,
                     [4 * PARAMETERS] * 2 + [POWERSGD_2] * (STEPS - 2)),
    "local-sgd": Mode.every(8, ["--sync", "local-sgd", "--sync-warmup", 6], 0.1, 4 * PARAMETERS, warmup=6),
    "diloco-fp32": Mode.every(6, ["--sync", "diloco", "--sync-precision", "fp32"], 0.006, 4 * PARAMETERS),
    "diloco-fp16": Mode.every(6, ["--sync", "diloco"], 0.006, 2 * PARAMETERS),
    "diloco-fp16-overlap": Mode.every(6, ["--sync", "diloco", "--sync-overlap", 3, "--outer-momentum", 0.8], 0.006,
                                      2 * PARAMETERS),
    # 10 blocks of 4,096 numbers, each with its scale.
    "diloco-int8": Mode.every(12, ["--sync", "diloco", "--sync-precision", "int8"], 0.006, PARAMETERS + 4 * 10),
}


# Of PyTorch 2.4 and later, see https://github.com/pytorch/pytorch/pull/113557; that of 1.13 does not.
GLOO_SUMS_BF16 = tuple(map(int, torch.__version__.split(".")[:2])) >= (2, 4)
WITH_TWO_RANKS = [name for name in MODES if name != "bf16" or GLOO_SUMS_BF16]


@pytest.mark.parametrize(["name", "count"], [*((name, 2) for name in WITH_TWO_RANKS), ("powersgd", 3), ("diloco-int8", 3)])
def test_learns_with_the_payload_that_it_promises_and_ranks_end_alike(
        processes: Processes, digits: Path, tmp_path: Path, learnt: Learnt, name: str, count: int) -> None:
    mode = MODES[name]
    if name == "ddp":
        ends, metrics = learnt
    else:
        metrics = tmp_path
        ends = succeed_all(processes.start_ranks(count, "--data", digits, *LEARN, mode.lr, *mode.flags, "--batch-size",
                                                 BATCH[count], environment={"METRICS_DIR": str(metrics)}))
    results = [end.result for end in ends]
    assert len({result["parametersSha256"] for result in results}) == 1
    assert {result["steps"] for result in results} == {STEPS}
    assert results[0]["accuracy"] >= 0.95
    assert 0 < results[0]["heldOutLoss"] < 0.4
    for rank, result in enumerate(results):
        assert result["sync"] == name.split("-fp")[0].split("-int")[0]
        steps = events(metrics_of(metrics / f"rank-{rank}.jsonl"), "step")
        assert [step["gradientBytes"] for step in steps] == mode.payloads
        assert result["gradientBytesPerStep"] == sum(mode.payloads) / STEPS
        assert result["sentBytesPerStep"] == sum(step["sentBytes"] for step in steps) / STEPS
        for ours, theirs in (("secondsPerStep", "seconds"), ("computeSecondsPerStep", "computeSeconds"),
                             ("communicationSecondsPerStep", "communicationSeconds")):
            assert result[ours] == pytest.approx(sum(step[theirs] for step in steps) / STEPS)


@pytest.mark.parametrize(["flags", "bucket"], [
    ([], 1 << 16), (["--bucket-mib", 2], 2 << 20), (["--sync", "fp16"], 1 << 16), (["--sync", "powersgd"], None),
    (["--sync", "local-sgd"], None), (["--sync", "diloco"], None)])
def test_gradients_go_out_in_buckets_as_large_as_the_flag_or_the_environment_says(
        processes: Processes, digits: Path, tmp_path: Path, flags: list[object], bucket: int | None) -> None:
    succeed_all(processes.start_ranks(2, "--data", digits, "--max-steps", 3, *flags,
                                      environment={"METRICS_DIR": str(tmp_path), "BUCKET_MIB": "0.0625"}))
    assert [start["bucketBytes"] for start in events(metrics_of(tmp_path / "rank-0.jsonl"), "start")] == [bucket]


def test_buckets_change_no_parameter(processes: Processes, digits: Path) -> None:
    ends = [succeed_all(processes.start_ranks(2, "--data", digits, "--max-steps", 9, *flags))[0]
            for flags in ([], ["--bucket-mib", 0.01])]
    assert ends[0].result["parametersSha256"] == ends[1].result["parametersSha256"]


def test_a_bucket_of_nothing_is_refused(processes: Processes, digits: Path) -> None:
    end = processes.start_ranks(1, "--data", digits, "--bucket-mib", 0)[0].wait()
    assert end.code == 2
    assert "error: --bucket-mib is 0; it must be more than 0" in end.stderr


def test_training_ends_after_so_many_steps_also_within_an_epoch_with_equal_parameters(
        processes: Processes, digits: Path, tmp_path: Path) -> None:
    ends = succeed_all(processes.start_ranks(2, "--data", digits, "--max-steps", 17, "--sync", "local-sgd",
                                             environment={"METRICS_DIR": str(tmp_path)}))
    for end in ends:
        assert (end.result["steps"], end.result["epochs"], end.result["samplesSeen"]) == (17, 2, 719 + 5 * 64)
    assert ends[0].result["parametersSha256"] == ends[1].result["parametersSha256"]
    payloads = [step["gradientBytes"] for step in events(metrics_of(tmp_path / "rank-1.jsonl"), "step")]
    assert payloads == [0] * 16 + [4 * PARAMETERS]


if not GLOO_SUMS_BF16:
    def test_a_mode_that_gloo_cannot_do_is_told_before_training(
            processes: Processes, digits: Path, tmp_path: Path) -> None:
        for rank, end in enumerate(wait_all(processes.start_ranks(2, "--data", digits, "--sync", "bf16",
                                                                  environment={"METRICS_DIR": str(tmp_path)}))):
            assert end.code == 1
            assert end.stderr == (
                f"rank {rank}: error: --sync bf16 needs a group that sums bfloat16, and gloo of PyTorch {torch.__version__} "
                "does not (Invalid scalar type); take --sync fp16, PyTorch 2.4 or later, or nodes with GPU: nccl 2.10 and "
                "later does\n")
            assert (tmp_path / f"rank-{rank}.jsonl").read_text() == ""


def test_ranks_train_on_while_their_mean_is_under_way_and_keep_what_they_learn(tmp_path: Path) -> None:
    fork_all(walk_on, 2, free_port(), str(tmp_path))
    # Of the mean way of 7.5 after steps 5 and 10 half is gone, two steps later; the end is the mean of 10.5 and 13.5.
    assert [torch.load(tmp_path / f"{rank}.pt", weights_only=True).tolist() for rank in (0, 1)] == [
        [1, 2, 3, 4, 5, 6, 5.75, 6.75, 7.75, 8.75, 9.75, 9.5, 12],
        [2, 4, 6, 8, 10, 12, 7.75, 9.75, 11.75, 13.75, 15.75, 11.5, 12],
    ]


@pytest.mark.parametrize("mode", ["local-sgd", "diloco"])
def test_a_step_without_averaging_waits_for_no_other_rank(mode: str) -> None:
    fork_all(train_ahead, 2, free_port(), mode, get_context("forkserver").Event())


@pytest.mark.parametrize(["precision", "count", "tolerance"], [
    ("fp32", 3, 1e-6), ("fp16", 3, 2e-3), ("int8", 2, 2 / 63), ("int8", 3, 2 / 42),
])
def test_averages_are_the_same_bits_on_all_ranks_and_what_rounding_takes_comes_later(
        tmp_path: Path, precision: str, count: int, tolerance: float) -> None:
    seed = torch.seed() % (1 << 31)
    print(f"random seed: {seed}")
    fork_all(average_on, count, free_port(), seed, precision, str(tmp_path))
    saved = [torch.load(tmp_path / f"{rank}.pt", weights_only=True) for rank in range(count)]
    for other in saved[1:]:
        assert all(torch.equal(one, two) for one, two in zip(saved[0]["means"], other["means"]))
    exact = torch.stack([torch.stack(each["vectors"]) for each in saved]).double().mean(dim=0)
    means = torch.stack(saved[0]["means"]).double()
    largest = max(vector.abs().max().item() for each in saved for vector in each["vectors"])
    # Of one average as of the sum of all: an error that is carried on does not grow.
    assert (means[0] - exact[0]).abs().max().item() <= tolerance * largest
    assert (means.sum(dim=0) - exact.sum(dim=0)).abs().max().item() <= tolerance * largest
    assert not saved[0]["means"][-1][Averager.BLOCK:2 * Averager.BLOCK].any()
