"""Ranks on two nodes, started with the guide's command line, or by torchrun with several on each."""
from __future__ import annotations

import importlib.util
import json
import os
import re
import signal
import time
from pathlib import Path
from random import Random
from typing import Any, Iterator

import pytest
from nodes import Nodes
from processes import SCRIPTS, Ended, Process, Processes, events, metrics_of, succeed_all, wait_all, wait_until


@pytest.fixture(scope="module")
def nodes() -> Iterator[Nodes]:
    with Nodes() as made:
        yield made


@pytest.fixture
def started(processes: Processes, nodes: Nodes, few_digits: Path) -> Started:
    return Started(processes, nodes, few_digits)


class Started:
    """Starts the same thing on both nodes, of 12 steps an epoch."""

    def __init__(self, processes: Processes, nodes: Nodes, digits: Path) -> None:
        self._processes, self._nodes, self._digits = processes, nodes, digits

    def by_hand(self, *args: object, environment: dict[str, str] | None = None) -> list[Process]:
        return [self.rank(rank, *args, environment=environment) for rank in (0, 1)]

    def rank(self, rank: int, *args: object, environment: dict[str, str] | None = None) -> Process:
        return self._processes.start("pytorch_mnist_dist.py", *self.words(rank), *args, environment=environment,
                                     namespace=self._nodes.names[rank])

    def by_user(self, *args: object) -> list[Process]:
        """By hand, rank 0 in a new Python."""
        return [self._processes.start_itself("pytorch_mnist_dist.py", *self.words(0), *args, prefix=self._nodes.inside(0)),
                self.rank(1, *args)]

    def words(self, rank: int) -> list[object]:
        return ["--master-addr", "192.168.1.2", "--rank", rank, "--data", self._digits, "--batch-size", 4, "--no-cuda"]

    def by_torchrun(self, folder: Path, halt: tuple[int, int], *args: object) -> list[Process]:
        """Two processes a node, with a folder each for checkpoints and metrics; `halt` is a rank and a step."""
        launcher = importlib.util.find_spec("torch.distributed.run")
        assert launcher is not None and launcher.origin is not None
        stand_ins = self._processes.with_stand_ins(halt)
        launchers = []
        for number in (0, 1):
            own = folder / f"node-{number}"
            words = ["--nnodes=2", "--nproc_per_node=2", f"--node_rank={number}",
                     "--master_addr=192.168.1.2", "--master_port=29500", "--max_restarts=2", "--monitor_interval=0.2",
                     # PyTorch 1.13 on Python 3.11 does not understand its own default, which is to redirect nothing.
                     "--redirects=9:1", "--tee=9:1",
                     SCRIPTS / "pytorch_mnist_dist.py", "--data", self._digits, "--no-cuda", *args]
            environment = {"METRICS_DIR": str(own), "CHECKPOINT_DIR": str(own), "CHECKPOINT_EVERY": "10",
                           "OMP_NUM_THREADS": "1", **stand_ins}
            launchers.append(self._processes.start(launcher.origin, *words, environment=environment,
                                                   namespace=self._nodes.names[number]))
        return launchers


class TestByHand:
    def test_the_ranks_use_the_interface_on_the_route_to_the_master(self, started: Started, digits: Path) -> None:
        for end in succeed_all(started.by_user("--data", digits, "--batch-size", 64, "--epochs", 1)):
            assert re.search(r"^rank [01] of 2: PyTorch \S+, cpu, gloo over eth7, 719 of 1438 training samples$", end.stdout,
                             re.MULTILINE)

    def test_rank_0_refuses_to_start_on_a_node_that_does_not_hold_the_masters_address(self, started: Started) -> None:
        end = started.rank(0, "--master-addr", "192.168.2.2").wait()
        assert (end.code, end.stderr) == (1, (
            "rank 0: error: --master-addr 192.168.2.2 is not an address of this node (which has 192.168.1.2); rank 0 must run "
            "on the node that --master-addr names\n"))

    def test_fail_after_the_timeout_when_the_link_is_cut_and_survive_a_shorter_outage(
            self, started: Started, nodes: Nodes) -> None:
        ranks = started.by_hand("--epochs", 100_000, "--timeout", 4)

        def epochs() -> int:
            return len(re.findall(r"^epoch \d+/100000 loss", ranks[0].stdout, re.MULTILINE))

        wait_until(lambda: epochs() > 2, "two epochs")
        nodes.set_link(0, "down")
        nodes.set_link(0, "up")
        before = epochs()
        wait_until(lambda: epochs() > before + 2, "epochs after the outage")
        nodes.set_link(0, "down")
        cut = time.monotonic()
        try:
            ends = wait_all(ranks)
        finally:
            nodes.set_link(0, "up")
        assert time.monotonic() - cut < 8
        for end in ends:
            assert end.code == 1
            assert "the network between the nodes was cut for longer than --timeout 4 s" in end.stderr

    def test_metrics_tell_the_traffic_between_the_nodes(self, started: Started, nodes: Nodes, tmp_path: Path) -> None:
        before = nodes.sent_bytes(0)
        succeed_all(started.by_hand("--epochs", 2, environment={"METRICS_DIR": str(tmp_path)}))
        counted = nodes.sent_bytes(0) - before
        start, *lines = metrics_of(tmp_path / "rank-0.jsonl")
        assert start["interface"] == "eth7"
        sent = sum(line["sentBytes"] for line in events(lines, "step"))
        assert 24 * 153_128 <= sent <= counted
        assert sent > 0.9 * counted  # the rest is the rendezvous and the checks

    @pytest.mark.parametrize(["flags", "payload", "collectives"], [
        ([], 24 * 4 * 38_282, 24),
        (["--sync", "fp16"], 24 * 2 * 38_282, 24),
        # Rank 2, see test_sync.py.
        (["--sync", "powersgd", "--powersgd-rank", 2], 2 * 4 * 38_282 + 22 * 7_296, 2 + 22 * 3),
        (["--sync", "local-sgd"], 3 * 4 * 38_282, 3),
        (["--sync", "diloco"], 3 * 2 * 38_282, 3),
        (["--sync", "diloco", "--sync-precision", "int8"], 3 * (38_282 + 40), 3 * 2),
    ], ids=["ddp", "fp16", "powersgd", "local-sgd", "diloco-fp16", "diloco-int8"])
    def test_each_mode_sends_the_bytes_that_it_promises(
            self, started: Started, tmp_path: Path, flags: list[object], payload: int, collectives: int) -> None:
        succeed_all(started.by_hand("--epochs", 2, "--sync-every", 8, *flags, environment={"METRICS_DIR": str(tmp_path)}))
        for rank in (0, 1):
            steps = events(metrics_of(tmp_path / f"rank-{rank}.jsonl"), "step")
            assert sum(step["gradientBytes"] for step in steps) == payload
            # Of two ranks each sends its payload once; 66 bytes of headers come to 1,448 of TCP, and every collective, also
            # that of each epoch's outcome, takes some small packets.
            sent = sum(step["sentBytes"] for step in steps)
            assert payload <= sent <= payload * (1 + 66 / 1448) + 2_000 * (collectives + 2)

    def test_a_slow_link_is_seen_as_communication_not_as_computing(
            self, started: Started, nodes: Nodes, tmp_path: Path) -> None:
        nodes.limit_rate(10)
        try:
            succeed_all(started.by_hand("--epochs", 1, environment={"METRICS_DIR": str(tmp_path)}))
        finally:
            nodes.remove_limit()
        steps = events(metrics_of(tmp_path / "rank-1.jsonl"), "step")
        assert len(steps) == 12
        # 153,128 bytes take 0.12 s at 10 Mbit/s: the second node waits for them in every step.
        assert all(step["communicationSeconds"] >= 0.1 for step in steps)
        assert sorted(step["computeSeconds"] for step in steps)[6] < 0.1


class TestTorchrun:
    """Two nodes with two processes each; the rendezvous is torchrun's own, at the master."""

    LEARN = ["--epochs", 3, "--batch-size", 2, "--lr", 0.02, "--momentum", 0.9]  # 12 steps an epoch

    @staticmethod
    def results(ends: list[Ended]) -> list[dict[str, Any]]:
        """In the order of the ranks."""
        found = [re.findall(r"^RESULT (.*)$", end.stdout, re.MULTILINE) for end in ends]
        assert [len(lines) for lines in found] == [2, 2], ends
        return sorted((json.loads(line) for lines in found for line in lines), key=lambda result: result["rank"])

    def test_each_process_is_a_rank_and_when_one_is_killed_all_restart_and_end_as_if_none_had_been(
            self, started: Started, processes: Processes, nodes: Nodes, few_digits: Path, tmp_path: Path, chance: Random) -> None:
        step, victim = chance.randint(12, 30), chance.randrange(4)
        undisturbed = succeed_all(processes.start_ranks(4, "--data", few_digits, *self.LEARN))
        print(f"rank {victim} is killed at step {step} or soon after")
        # However busy the machine is, no rank gets to the end before the kill.
        launchers = started.by_torchrun(tmp_path, (victim, 34), *self.LEARN)
        node = victim // 2
        path = tmp_path / f"node-{node}" / f"rank-{victim}.jsonl"
        wait_until(lambda: path.exists() and f'"step": {step}, ' in path.read_text(), f"step {step} of rank {victim}")
        os.kill(worker_of(nodes, node, victim), signal.SIGKILL)
        ends = wait_all(launchers)
        assert [end.code for end in ends] == [0, 0], ends
        results = self.results(ends)
        assert [(result["rank"], result["worldSize"], result["shardIndices"]) for result in results] == [
            (rank, 4, 24) for rank in range(4)]
        assert len({result["shardSha256"] for result in results}) == 4
        for name in ("parametersSha256", "shardSha256"):
            assert [result[name] for result in results] == [end.result[name] for end in undisturbed]
        assert len({result["parametersSha256"] for result in results}) == 1
        for end in ends:
            assert len(re.findall(r"^rank \d: goes on after step [1-9]0, in epoch \d$", end.stdout, re.MULTILINE)) == 2
        for rank in range(4):
            lines = metrics_of(tmp_path / f"node-{rank // 2}" / f"rank-{rank}.jsonl")
            assert len(events(lines, "start")) == 2


def worker_of(nodes: Nodes, node: int, rank: int) -> int:
    """The process of a rank on a node."""
    for pid in nodes.processes(node):
        if Path(f"/proc/{pid}/comm").read_text() == f"rank-{rank}\n":
            return pid
    raise AssertionError(f"there is no process of rank {rank} on node {node}")
