"""The JSON lines that a rank writes about its training."""
from __future__ import annotations

import socket
from pathlib import Path

import pytest
import torch
from arguments import TrainingError
from metrics import Metrics, StepClock, traffic_of
from model import build_model
from processes import Processes, events, metrics_of, succeed_all

START = ["event", "time", "rank", "worldSize", "backend", "device", "torch", "interface", "parameters", "gradientBytes",
         "sync", "bucketBytes", "overlapSteps", "samples", "epochs"]
STEP = ["event", "time", "epoch", "step", "loss", "seconds", "computeSeconds", "communicationSeconds", "gradientBytes",
        "sentBytes", "receivedBytes"]
EPOCH = ["event", "time", "epoch", "step", "loss", "accuracy", "seconds"]


def check_lines(path: Path, steps: int, epochs: int) -> None:
    """All lines of a rank that was never stopped have the form that readers expect, and fit each other."""
    lines = metrics_of(path)
    assert [line["event"] for line in lines if line["event"] != "step"] == ["start", *["epoch"] * epochs, "result"]
    for event, keys in (("start", START), ("step", STEP), ("epoch", EPOCH)):
        for line in events(lines, event):
            assert list(line) == keys
    taken = events(lines, "step")
    assert [step["step"] for step in taken] == list(range(1, steps + 1))
    assert [epoch["step"] for epoch in events(lines, "epoch")] == [steps // epochs * (k + 1) for k in range(epochs)]
    for step in taken:
        assert step["computeSeconds"] + step["communicationSeconds"] == pytest.approx(step["seconds"], abs=1e-9)
        assert step["computeSeconds"] > 0
        assert step["gradientBytes"] == (lines[0]["gradientBytes"] if lines[0]["worldSize"] > 1 else 0)
    assert lines[0]["gradientBytes"] == 4 * lines[0]["parameters"]
    times = [line["time"] for line in lines[:-1]]
    assert times == sorted(times)


def test_of_two_ranks_tell_each_its_own_steps(processes: Processes, few_digits: Path, tmp_path: Path) -> None:
    ends = succeed_all(processes.start_ranks(2, "--data", few_digits, "--batch-size", 4, "--epochs", 2,
                                             environment={"METRICS_DIR": str(tmp_path / "metrics")}))
    for rank, end in enumerate(ends):
        path = tmp_path / "metrics" / f"rank-{rank}.jsonl"
        check_lines(path, steps=24, epochs=2)
        lines = metrics_of(path)
        assert {**lines[0], "time": 0} == {
            "event": "start", "time": 0, "rank": rank, "worldSize": 2, "backend": "gloo", "device": "cpu",
            "torch": torch.__version__, "interface": "lo", "parameters": 38_282, "gradientBytes": 153_128,
            "sync": "ddp", "bucketBytes": 25 << 20, "overlapSteps": 0, "samples": 48, "epochs": 2,
        }
        steps = events(lines, "step")
        assert all(step["communicationSeconds"] > 0 for step in steps)
        assert sum(step["sentBytes"] for step in steps) >= 24 * 153_128
        assert lines[-1] == {"event": "result", **end.result}
    one, other = (events(metrics_of(tmp_path / "metrics" / f"rank-{rank}.jsonl"), "epoch") for rank in (0, 1))
    assert [(line["loss"], line["accuracy"]) for line in one] == [(line["loss"], line["accuracy"]) for line in other]


def test_of_one_process_tell_no_communication(processes: Processes, few_digits: Path, tmp_path: Path) -> None:
    end = processes.run("mnist.py", "--data", few_digits, "--batch-size", 4, "--epochs", 2, "--no-cuda", "--output",
                        tmp_path / "own.jsonl")
    assert (end.code, end.stderr) == (0, "")
    check_lines(tmp_path / "own.jsonl", steps=48, epochs=2)
    lines = metrics_of(tmp_path / "own.jsonl")
    assert {name: lines[0][name] for name in ("rank", "worldSize", "backend", "device", "samples")} == {
        "rank": 0, "worldSize": 1, "backend": "none", "device": "cpu", "samples": 96}
    assert {(step["communicationSeconds"], step["sentBytes"]) for step in events(lines, "step")} == {(0, 0)}
    assert lines[-1] == {"event": "result", **end.result}


def test_of_the_workers_of_one_node_tell_each_its_own(processes: Processes, few_digits: Path, tmp_path: Path) -> None:
    end = processes.run("pytorch_multi_gpu_test.py", "--data", few_digits, "--batch-size", 4, "--epochs", 2, "--gpus", 2,
                        "--no-cuda", environment={"METRICS_DIR": str(tmp_path), **processes.with_stand_ins()})
    assert (end.code, end.stderr) == (0, "")
    assert (end.result["samplesSeen"], end.result["gpus"]) == (2 * 96, 0)
    for rank in (0, 1):
        check_lines(tmp_path / f"rank-{rank}.jsonl", steps=24, epochs=2)
        assert metrics_of(tmp_path / f"rank-{rank}.jsonl")[0]["rank"] == rank


class TestFile:
    @staticmethod
    def write_epoch(path: Path, number: int) -> None:
        Metrics(str(path), rank=0).epoch(number, 10 * number, loss=0.5, accuracy=0.25, seconds=1.5)

    def test_goes_on_where_the_attempt_before_ended_even_within_a_line(self, tmp_path: Path) -> None:
        path = tmp_path / "rank-0.jsonl"
        self.write_epoch(path, 1)
        whole = path.read_bytes()
        path.write_bytes(whole + whole[:20])
        self.write_epoch(path, 2)
        lines = path.read_text().splitlines()
        assert (lines[0] + "\n").encode() == whole
        assert lines[1] == lines[0][:20]
        assert '"epoch": 2' in lines[2]

    def test_holds_no_number_that_json_does_not_know(self, tmp_path: Path) -> None:
        metrics = Metrics(str(tmp_path / "out"), rank=0)
        metrics.start(build_model(), world_size=1, backend="none", device=torch.device("cpu"), samples=1, epochs=1)
        metrics.step(1, 1, float("nan"), seconds=1.0, communication_seconds=0.25)
        line = metrics_of(tmp_path / "out")[1]
        assert (line["loss"], line["computeSeconds"], line["communicationSeconds"]) == (None, 0.75, 0.25)

    def test_that_cannot_be_written_is_named(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        with pytest.raises(TrainingError, match="cannot write --output /nowhere/metrics: No such file or directory"):
            Metrics("/nowhere/metrics", rank=0)
        (tmp_path / "file").touch()
        monkeypatch.setenv("METRICS_DIR", str(tmp_path / "file" / "folder"))
        with pytest.raises(TrainingError, match="rank-3.jsonl, in METRICS_DIR: Not a directory"):
            Metrics(None, rank=3)

    def test_of_the_command_line_comes_before_that_of_the_environment(
            self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("METRICS_DIR", str(tmp_path / "folder"))
        self.write_epoch(tmp_path / "own", 1)
        assert (tmp_path / "own").exists() and not (tmp_path / "folder").exists()


def test_traffic_is_what_the_kernel_counts() -> None:
    receiver, sender = (socket.socket(socket.AF_INET, socket.SOCK_DGRAM) for _ in range(2))
    with receiver, sender:
        receiver.bind(("127.0.0.1", 0))
        before = traffic_of("lo")
        sender.sendto(bytes(10_000), receiver.getsockname())
        receiver.recv(10_000)
        after = traffic_of("no-such,lo")
    assert after[0] - before[0] >= 10_028
    assert after[1] - before[1] >= 10_028
    assert traffic_of("none") == (0, 0)


def test_communication_is_what_follows_the_last_gradient(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [0.0]
    monkeypatch.setattr("metrics.time.perf_counter", lambda: now[0])
    layer = torch.nn.Linear(2, 1, bias=False)
    clock = StepClock(layer, torch.device("cpu"))

    def pass_seconds(seconds: float) -> None:
        now[0] += seconds

    layer.weight.register_hook(lambda _: pass_seconds(10))  # after the clock's own: as DistributedDataParallel does
    for expected in ((14.5, 13), (14.5, 13)):
        pass_seconds(1)
        layer(torch.ones(1, 2)).sum().backward()
        pass_seconds(3)
        clock.gradients_are_averaged()
        pass_seconds(0.5)
        assert clock.end_step() == expected


def test_communication_after_the_backward_pass_counts_too(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [0.0]
    monkeypatch.setattr("metrics.time.perf_counter", lambda: now[0])
    layer = torch.nn.Linear(2, 1, bias=False)
    clock = StepClock(layer, torch.device("cpu"))
    for averages, expected in ((2, (8, 4)), (0, (4, 0))):
        now[0] += 1
        layer(torch.ones(1, 2)).sum().backward()
        clock.gradients_are_averaged()
        now[0] += 3
        for _ in range(averages):
            with clock.communicating():
                now[0] += 2
        assert clock.end_step() == expected
