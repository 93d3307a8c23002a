"""Several ranks that train one model: equal parameters, shards that cover the data once, and what is said of mistakes."""
from __future__ import annotations

import re
import signal
import time
from pathlib import Path
from types import ModuleType

import mnist
import pytest
import pytorch_mnist_dist
import pytorch_multi_gpu_test
from conftest import Learnt
from idx_files import write_mnist
from processes import SCRIPTS, Process, Processes, free_port, succeed_all, wait_all, wait_until


class TestTwoRanks:
    def test_end_with_the_same_parameters_and_learn(self, learnt: Learnt) -> None:
        first, second = (end.result for end in learnt.ends)
        for rank, result in enumerate((first, second)):
            expected = {"rank": rank, "worldSize": 2, "backend": "gloo", "epochs": 8, "steps": 96, "parameters": 38_282,
                        "gradientBytesPerStep": 153_128, "samplesSeen": 5_752, "shardIndices": 719}
            assert {name: result[name] for name in expected} == expected
        assert re.fullmatch("[0-9a-f]{64}", first["parametersSha256"])
        for name in ("parametersSha256", "accuracy", "finalLoss"):
            assert second[name] == first[name]
        assert first["accuracy"] >= 0.95
        assert first["shardSha256"] != second["shardSha256"]
        line = r"^epoch \d/8 loss \d\.\d{4} accuracy [01]\.\d{3} 12 steps \d+\.\d{3} s/step$"
        assert len(re.findall(line, learnt.ends[0].stdout, re.MULTILINE)) == 8

    def test_of_several_connections_end_with_the_same_parameters(self, processes: Processes, digits: Path) -> None:
        several = {"GLOO_SOCKET_IFNAME": "lo,lo,lo,lo"}
        ranks = processes.start_ranks(2, "--data", digits, "--epochs", 2, environment=several)
        first, second = (end.result for end in succeed_all(ranks))
        assert first["parametersSha256"] == second["parametersSha256"]

    def test_train_on_mnist_whose_test_set_is_held_out(self, processes: Processes, tmp_path: Path) -> None:
        write_mnist(tmp_path, training=43, test=10)
        ends = succeed_all(processes.start_ranks(2, "--dataset", "mnist", "--data-dir", tmp_path, "--epochs", 2,
                                                 "--batch-size", 7))
        first, second = (end.result for end in ends)
        assert first["parametersSha256"] == second["parametersSha256"]
        assert (first["parameters"], first["steps"], first["shardIndices"]) == (406_922, 6, 21)


@pytest.mark.parametrize(["script", "args"], [
    ("mnist.py", []),
    ("pytorch_multi_gpu_test.py", ["--gpus", "1"]),  # test_metrics.py has two
    ("mnist_dist.py", ["--world_size=1", "--rank=0"]),
])
def test_every_script_trains_on_mnist(processes: Processes, tmp_path: Path, script: str, args: list[str]) -> None:
    write_mnist(tmp_path, training=40, test=10)
    environment = {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(free_port())}
    end = processes.start_itself(script, *args, "--dataset", "mnist", "--data-dir", tmp_path, "--epochs", 1, "--no-cuda",
                                 environment=environment).wait()
    assert (end.code, end.stderr, end.result["samplesSeen"], end.result["rank"]) == (0, "", 40, 0)


def test_shards_cover_the_data_once_with_a_number_of_ranks_that_does_not_divide_it(
        processes: Processes, digits: Path) -> None:
    # Each rank fails unless the shards of all are disjoint and complete.
    results = [end.result for end in succeed_all(processes.start_ranks(3, "--data", digits, "--epochs", 1))]
    assert [result["shardIndices"] for result in results] == [479, 479, 479]
    assert len({result["shardSha256"] for result in results}) == 3
    assert len({result["parametersSha256"] for result in results}) == 1


def test_ranks_that_do_not_agree_on_the_seed_fail_for_their_shards_overlap(processes: Processes, digits: Path) -> None:
    port = free_port()
    ranks = [processes.start_rank(rank, 2, port, "--data", digits, "--epochs", 1, "--seed", 1 + rank) for rank in (0, 1)]
    for end in wait_all(ranks):
        assert end.code == 1
        assert re.search(r"the shards of the 2 ranks are not disjoint and complete: .* Do all ranks have the same --data and "
                         r"--seed\?", end.stderr)


def test_training_that_diverges_is_told_as_that(processes: Processes, digits: Path) -> None:
    for end in wait_all(processes.start_ranks(2, "--data", digits, "--lr", "1e30", "--epochs", 2)):
        assert end.code == 1
        assert re.fullmatch(r"rank \d: error: the loss is (nan|inf) in epoch 1: training has diverged. Give a lower --lr \(it "
                            r"is 1e\+30\) or --momentum \(it is 0.5\)\n", end.stderr)


class TestTheOtherRank:
    @staticmethod
    def training(processes: Processes, digits: Path, *args: object) -> list[Process]:
        ranks = processes.start_ranks(2, "--data", digits, "--epochs", 100_000, *args)
        wait_until(lambda: "epoch 2/100000 loss" in ranks[0].stdout, "the second epoch")
        return ranks

    @pytest.mark.parametrize("victim", [0, 1])
    def test_fails_at_once_with_the_reason_when_one_is_killed(
            self, processes: Processes, digits: Path, victim: int) -> None:
        ranks = self.training(processes, digits)
        ranks[victim].kill()
        survivor = ranks[1 - victim].wait(5)
        assert survivor.code == 1
        assert re.search(rf"^rank {1 - victim}: error: training stopped after .*[Cc]onnection", survivor.stderr, re.MULTILINE)
        assert "another rank ended or the network between the nodes was cut" in survivor.stderr

    def test_fails_after_the_timeout_when_one_hangs(self, processes: Processes, digits: Path) -> None:
        survivor, hanging = self.training(processes, digits, "--timeout", 2)
        hanging.send(signal.SIGSTOP)
        stopped = time.monotonic()
        end = survivor.wait(6)
        assert end.code == 1
        assert "for longer than --timeout 2 s" in end.stderr
        assert time.monotonic() - stopped > 1.5

    def test_that_never_comes_is_not_waited_for_longer_than_the_timeout(self, processes: Processes, digits: Path) -> None:
        end = processes.start_rank(1, 2, free_port(), "--data", digits, "--timeout", 1).wait()
        assert end.code == 1
        assert re.search(r"rank 1: error: the 2 ranks did not meet at 127\.0\.0\.1:\d+ within 1 s", end.stderr)

    def test_that_never_comes_is_waited_for_as_long_as_the_environment_says(self, processes: Processes, digits: Path) -> None:
        end = processes.start_rank(1, 2, free_port(), "--data", digits, environment={"GROUP_TIMEOUT": "1"}).wait()
        assert end.code == 1
        assert "within 1 s" in end.stderr


def is_listening(port: int) -> bool:
    """Whether some process listens on the port, by what the kernel says (state 0A)."""
    sockets = "".join(Path(f"/proc/net/{table}").read_text() for table in ("tcp", "tcp6"))
    return re.search(rf":{port:04X} [0-9A-F]+:0000 0A ", sockets) is not None


def test_sigterm_ends_a_rank_at_once_also_while_it_waits_for_the_others(processes: Processes, digits: Path) -> None:
    port = free_port()
    waiting = processes.start_rank(0, 2, port, "--data", digits)
    wait_until(lambda: is_listening(port), "rank 0 listens")
    waiting.send(signal.SIGTERM)
    assert waiting.wait(2).code == -signal.SIGTERM  # 143 for a shell


class TestMistakes:
    @pytest.mark.parametrize(["args", "message"], [
        (["--data", "/nowhere/digits.npz"], "there is no data file /nowhere/digits.npz"),
        (["--data", __file__], f"{__file__} cannot be read as an .npz file"),
        (["--output", "/nowhere/metrics"], "cannot write --output /nowhere/metrics: No such file or directory"),
        (["--checkpoint-dir", "/proc/nowhere", "--world-size", 1], "cannot make the folder /proc/nowhere/rank-0"),
        (["--master-addr", "192.0.2.200"], "--master-addr 192.0.2.200 "),
    ], ids=str)
    def test_are_named(self, processes: Processes, digits: Path, args: list[object], message: str) -> None:
        end = processes.start_rank(0, 2, free_port(), "--data", digits, *args).wait()
        assert end.code == 1
        assert re.match("rank 0: error: ", end.stderr) and message in end.stderr
        assert "Traceback" not in end.stderr

    @pytest.mark.parametrize(["script", "args", "message"], [
        ("mnist_dist.py", [], "MASTER_ADDR is not set; set it to the address of the node of rank 0"),
        ("mnist.py", ["--dataset", "mnist"], f"there is no train-images-idx3-ubyte or train-images-idx3-ubyte.gz in {SCRIPTS}"),
        ("pytorch_multi_gpu_test.py", ["--no-cuda", "--data", "/nowhere"], "the 1 CPU workers ended with the exit codes [1]"),
    ], ids=str)
    def test_of_each_script_are_named(self, processes: Processes, script: str, args: list[object], message: str) -> None:
        end = processes.start(script, *args, environment=processes.with_stand_ins()).wait()
        assert end.code == 1
        assert message in end.stderr
        assert "Traceback" not in end.stderr

    @pytest.mark.parametrize(["script", "args", "message"], [
        (pytorch_mnist_dist, ["--rank", 2], "--rank is 2; with --world-size 2 it must be 0 to 1"),
        (pytorch_mnist_dist, ["--rank", -1], "--rank is -1; with --world-size 2 it must be 0 to 1"),
        (pytorch_mnist_dist, ["--world-size", 0], "--world-size is 0; it must be 1 or more"),
        (pytorch_mnist_dist, ["--master-port", 70000], "--master-port is 70000; it must be 1 to 65535"),
        (pytorch_mnist_dist, ["--batch-size", 0], "--batch-size is 0; it must be more than 0"),
        (pytorch_mnist_dist, ["--epochs", "ten"], "argument --epochs: invalid int value: 'ten'"),
        (pytorch_mnist_dist, ["--timeout", 0], "--timeout is 0.0; it must be more than 0"),
        (pytorch_mnist_dist, ["--threads", 0], "--threads is 0; it must be more than 0"),
        (pytorch_mnist_dist, ["--checkpoint-every", -1], "--checkpoint-every is -1; it must be more than 0"),
        (pytorch_mnist_dist, ["--max-steps", 0], "--max-steps is 0; it must be more than 0"),
        (pytorch_mnist_dist, ["--sync", "fp8"], "invalid choice: 'fp8' (choose from 'ddp', 'fp16', 'bf16', 'powersgd',"),
        (pytorch_mnist_dist, ["--sync-every", 0], "--sync-every is 0; it must be more than 0"),
        (pytorch_mnist_dist, ["--sync", "diloco", "--sync-overlap", 20],
         "--sync-overlap is 20; it must be 0 or more, and less than --sync-every 20"),
        (pytorch_mnist_dist, ["--powersgd-rank", 0], "--powersgd-rank is 0; it must be more than 0"),
        (pytorch_mnist_dist, ["--sync-warmup", -1], "--sync-warmup is -1; it must be 0 or more"),
        (pytorch_mnist_dist, ["--outer-lr", "nan"], "--outer-lr is nan; it must be more than 0"),
        (pytorch_mnist_dist, ["--outer-momentum", 1], "--outer-momentum is 1.0; it must be at least 0 and less than 1"),
        (pytorch_mnist_dist, ["--world-size", 64, "--sync", "diloco", "--sync-precision", "int8"],
         "--sync-precision int8 is for at most 63 ranks, there are 64; take fp16 or fp32"),
        (pytorch_mnist_dist, ["--backend", "mpi"], "invalid choice: 'mpi' (choose from 'auto', 'gloo', 'nccl')"),
        (mnist, ["--epochs", 0], "--epochs is 0; it must be more than 0"),
        (mnist, ["--test-batch-size", 0], "--test-batch-size is 0; it must be more than 0"),
        (mnist, ["--dataset", "cifar"], "invalid choice: 'cifar' (choose from 'digits', 'mnist')"),
        (mnist, ["--dataset", "mnist", "--data", "x"],
         "--data x is for --dataset digits; name the folder of MNIST's files with --data-dir"),
        (pytorch_multi_gpu_test, ["--gpus", 0], "--gpus is 0; it must be 1 or more"),
        (pytorch_multi_gpu_test, ["--batch-size", -5], "--batch-size is -5; it must be more than 0"),
    ], ids=str)
    def test_in_the_arguments_are_told_before_anything_is_done(
            self, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], script: ModuleType,
            args: list[object], message: str) -> None:
        place = ["--master-addr", "127.0.0.1", "--rank", 0] if script is pytorch_mnist_dist else []
        monkeypatch.setattr("sys.argv", ["script.py", *map(str, [*place, *args])])
        with pytest.raises(SystemExit) as ended:
            script.parse_arguments()
        assert ended.value.code == 2
        assert message in capsys.readouterr().err

    def test_neither_a_place_to_meet_nor_a_rank_is_told_with_an_example(
            self, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
        for name in ("MASTER_ADDR", "RANK", "WORLD_SIZE"):
            monkeypatch.delenv(name, raising=False)
        monkeypatch.setattr("sys.argv", ["script.py"])
        with pytest.raises(SystemExit):
            pytorch_mnist_dist.parse_arguments()
        assert ("--master-addr and --rank are needed, for example --master-addr 192.168.1.2 --rank 0"
                in capsys.readouterr().err)
