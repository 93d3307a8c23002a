"""Text as training data, and the transformer that learns it."""
from __future__ import annotations

import math
import re
from collections import Counter
from pathlib import Path

import pytest
import torch
from arguments import TrainingError
from char_lm import Transformer
from model import count_parameters
from processes import Processes, free_port, succeed_all, wait_all
from text import read_text, windows


class TestText:
    def test_of_the_standard_library_is_its_modules_in_order_and_no_longer_than_asked_for(self) -> None:
        text = read_text(None, 100_000)
        assert len(text) == 100_000
        assert text == read_text(None, 200_000)[:100_000]
        assert text.startswith(b'"""Record of phased-in incompatible language changes.')  # __future__.py

    def test_of_a_folder_is_its_files_in_order_also_those_of_folders_below(self, tmp_path: Path) -> None:
        (tmp_path / "b").mkdir()
        (tmp_path / "b" / "z").write_bytes(b"4")
        (tmp_path / "b" / "a").write_bytes(b"3")
        (tmp_path / "c").write_bytes(b"2")
        (tmp_path / "a").write_bytes(b"1")
        (tmp_path / ".hidden").write_bytes(b"no")
        assert read_text(str(tmp_path), 100) == b"1234"
        assert read_text(str(tmp_path), 3) == b"123"
        assert read_text(str(tmp_path / "c"), 100) == b"2"

    def test_that_is_not_there_is_told(self, tmp_path: Path) -> None:
        for path in (tmp_path, tmp_path / "none"):
            with pytest.raises(TrainingError, match=f"there is no text in {path}; name a file, or a folder with files"):
                read_text(str(path), 100)

    def test_becomes_windows_each_with_the_bytes_that_follow(self) -> None:
        text = bytes(range(256)) * 2
        inputs, targets, training, held_out = windows(text, context=10, world_size=3, seed=1)
        assert inputs.shape == targets.shape == (51, 10)
        assert bytes(inputs.flatten().tolist()) == text[:510]
        assert bytes(targets.flatten().tolist()) == text[1:511]
        # A twentieth is held out, and what would make the shards unequal.
        assert (len(training), len(held_out)) == (48, 3)
        assert sorted(training.tolist() + held_out.tolist()) == list(range(51))

    def test_that_is_too_short_is_told(self) -> None:
        with pytest.raises(TrainingError, match="100 bytes of text are too few for 4 ranks with windows of 30; give more"):
            windows(bytes(100), context=30, world_size=4, seed=1)


def test_the_transformer_has_a_million_parameters_and_does_not_see_what_is_to_come() -> None:
    torch.manual_seed(1)
    model = Transformer(context=128)
    assert count_parameters(model) == 1_040_768
    text = torch.randint(256, (2, 40), dtype=torch.uint8)
    other = text.clone()
    other[:, 20:] = 255 - other[:, 20:]
    scores, others = model(text), model(other)
    assert scores.shape == (2, 40, 256)
    assert torch.allclose(scores[:, :20], others[:, :20], atol=1e-6)
    assert not torch.allclose(scores[:, 20:], others[:, 20:], atol=1e-2)


@pytest.mark.parametrize("flags", [
    [], ["--sync", "fp16"], ["--sync", "powersgd"], ["--sync", "local-sgd", "--sync-every", 3],
    # Outer momentum of 0.9 is for runs of more rounds than six.
    ["--sync", "diloco", "--sync-every", 6, "--sync-precision", "int8", "--outer-momentum", 0.5],
], ids=lambda flags: flags[1] if flags else "ddp")
def test_every_mode_learns_more_than_how_often_each_byte_occurs(processes: Processes, flags: list[object]) -> None:
    ends = succeed_all([processes.start_rank(
        rank, 2, port, "--max-steps", 36, "--context", 16, "--text-bytes", 30_000, "--batch-size", 4, *flags,
        script="char_lm.py", itself=not flags and rank == 0) for port in [free_port()] for rank in (0, 1)])
    one, other = (end.result for end in ends)
    assert one["parametersSha256"] == other["parametersSha256"]
    assert (one["steps"], one["parameters"], one["samplesSeen"]) == (36, 1_026_432, 36 * 4)
    counts = Counter(read_text(None, 30_000)).values()
    entropy = sum(count * math.log(30_000 / count) for count in counts) / 30_000
    assert one["heldOutLoss"] < entropy - 0.05
    assert one["accuracy"] > 0.25


def test_powersgd_goes_on_exactly_also_with_several_buckets_of_gradients(processes: Processes, tmp_path: Path) -> None:
    def parameters_after(folder: str, steps: int) -> str:
        port = free_port()
        ends = succeed_all([processes.start_rank(
            rank, 2, port, "--max-steps", steps, "--context", 16, "--text-bytes", 20_000, "--batch-size", 4, "--sync",
            "powersgd", "--checkpoint-dir", tmp_path / folder, "--checkpoint-every", 2,
            script="char_lm.py") for rank in (0, 1)])
        return ends[0].result["parametersSha256"]

    whole = parameters_after("whole", 6)
    assert parameters_after("parted", 4) != whole
    assert parameters_after("parted", 6) == whole


def test_ranks_with_different_texts_say_what_each_has(processes: Processes, tmp_path: Path) -> None:
    texts = []
    for rank in (0, 1):
        texts.append(tmp_path / f"text-{rank}")
        texts[rank].write_bytes(bytes([rank]) * 10_000)
    port = free_port()
    for rank, end in enumerate(wait_all([processes.start_rank(rank, 2, port, "--data", texts[rank], script="char_lm.py")
                                         for rank in (0, 1)])):
        assert end.code == 1
        assert re.fullmatch(
            rf"rank {rank}: error: the ranks have different data, SHA-256 by rank: \['[0-9a-f]{{64}}', '[0-9a-f]{{64}}'\]; "
            rf"this one has {texts[rank]}. Give all nodes the same, with --data\n", end.stderr)


def test_momentum_is_refused(processes: Processes) -> None:
    end = processes.start_rank(0, 2, free_port(), "--momentum", 0.5, script="char_lm.py").wait()
    assert end.code == 2
    assert "--momentum is 0.5; AdamW has none: leave it out" in end.stderr
