"""What is read as data, and how it is split. MNIST itself is not at hand: the tests write small IDX files of their own."""
from __future__ import annotations

import argparse
import gzip
import struct
from pathlib import Path

import numpy
import pytest
import torch
from arguments import TrainingError, add_training_arguments
from data import ImageArguments, add_image_arguments, load_digits, load_samples, read_idx, split
from idx_files import write_idx, write_mnist


def arguments(*args: object) -> ImageArguments:
    parser = argparse.ArgumentParser()
    add_training_arguments(parser)
    add_image_arguments(parser)
    return parser.parse_args([*map(str, args)], namespace=ImageArguments())


class TestSplit:
    @pytest.mark.parametrize("world_size", [1, 2, 3, 7, 64])
    def test_every_sample_is_trained_on_or_held_out_and_the_ranks_share_evenly(self, world_size: int) -> None:
        training, held_out = split(1797, world_size, seed=5)
        assert len(training) == (1797 - 359) // world_size * world_size
        assert torch.cat([training, held_out]).sort().values.tolist() == list(range(1797))

    def test_the_seed_decides(self) -> None:
        assert split(100, 2, 1)[0].tolist() == split(100, 2, 1)[0].tolist() != split(100, 2, 2)[0].tolist()

    def test_too_many_ranks_are_refused(self) -> None:
        with pytest.raises(TrainingError, match="^5 samples are too few for 8 ranks; take fewer ranks or more data$"):
            split(5, 8, 1)


class TestDigits:
    def test_are_images_from_0_to_1_with_their_labels(self, digits: Path) -> None:
        images, labels, training, held_out = load_samples(arguments("--data", digits))
        assert (images.shape, images.dtype) == ((1797, 1, 8, 8), torch.float32)
        assert (images.min(), images.max(), labels.dtype) == (0, 1, torch.int64)
        assert labels.unique().tolist() == list(range(10))
        assert (len(training), len(held_out)) == (1438, 359)

    def test_lie_in_the_folder_that_is_named(self, digits: Path) -> None:
        assert len(load_samples(arguments("--data-dir", digits.parent)).targets) == 1797

    @pytest.mark.parametrize(["arrays", "message"], [
        ({"images": numpy.zeros((9, 8, 8))}, "holds no array"),
        ({"images": numpy.zeros((9, 8, 7)), "labels": numpy.zeros(9, int)}, r"shape \(9, 8, 7\)"),
        ({"images": numpy.zeros((9, 8, 8)), "labels": numpy.full(9, 10)}, "not whole numbers from 0 to 9"),
        ({"images": numpy.zeros((9, 8, 8)), "labels": numpy.zeros(9)}, "not whole numbers from 0 to 9"),
    ])
    def test_that_are_none_are_refused(self, tmp_path: Path, arrays: dict[str, numpy.ndarray], message: str) -> None:
        numpy.savez(tmp_path / "broken.npz", **arrays)
        with pytest.raises(TrainingError, match=message):
            load_digits(str(tmp_path / "broken.npz"))


class TestMnist:
    def test_its_own_test_set_is_held_out(self, tmp_path: Path) -> None:
        write_mnist(tmp_path, training=33, test=7)
        images, labels, training, held_out = load_samples(arguments("--dataset", "mnist", "--data-dir", tmp_path), 4)
        assert (images.shape, images.dtype) == ((40, 1, 28, 28), torch.float32)
        assert sorted(training.tolist()) == sorted(set(training.tolist()) & set(range(33)))
        assert len(training) == 32
        assert held_out.tolist() == list(range(33, 40))
        # The files of the tests hold image k full of the value 6 k, and the label k modulo 10.
        assert images[32].unique().tolist() == [pytest.approx(6 * 32 / 255)]
        assert (labels[32], labels[33], labels[39]) == (2, 0, 6)

    @pytest.mark.parametrize("folder", [".", "MNIST/raw"])
    @pytest.mark.parametrize("compressed", [False, True])
    def test_is_found_compressed_and_where_torchvision_puts_it(self, tmp_path: Path, folder: str, compressed: bool) -> None:
        (tmp_path / folder).mkdir(parents=True, exist_ok=True)
        write_mnist(tmp_path / folder, training=20, test=5, compressed=compressed)
        assert len(load_samples(arguments("--dataset", "mnist", "--data-dir", tmp_path)).targets) == 25

    def test_a_missing_file_is_named_with_what_to_do(self, tmp_path: Path) -> None:
        write_mnist(tmp_path, training=20, test=5)
        (tmp_path / "t10k-labels-idx1-ubyte").unlink()
        with pytest.raises(TrainingError, match="^there is no t10k-labels-idx1-ubyte or t10k-labels-idx1-ubyte.gz in "
                                                f"{tmp_path}, nor in its MNIST/raw; put MNIST's four files there"):
            load_samples(arguments("--dataset", "mnist", "--data-dir", tmp_path))

    def test_files_that_do_not_belong_together_are_refused(self, tmp_path: Path) -> None:
        write_mnist(tmp_path, training=20, test=5)
        write_idx(tmp_path / "train-labels-idx1-ubyte", numpy.zeros(19, numpy.uint8))
        with pytest.raises(TrainingError, match="holds 20 images and .* 19 labels; take both from the same data set"):
            load_samples(arguments("--dataset", "mnist", "--data-dir", tmp_path))
        write_idx(tmp_path / "train-labels-idx1-ubyte", numpy.full(20, 11, numpy.uint8))
        with pytest.raises(TrainingError, match="holds the label 11; labels must be 0 to 9"):
            load_samples(arguments("--dataset", "mnist", "--data-dir", tmp_path))
        write_mnist(tmp_path, training=20, test=5)
        write_idx(tmp_path / "t10k-images-idx3-ubyte", numpy.zeros((5, 20, 20), numpy.uint8))
        with pytest.raises(TrainingError, match="images of 28 x 28 to train on and of 20 x 20 to test with"):
            load_samples(arguments("--dataset", "mnist", "--data-dir", tmp_path))


class TestIdx:
    values = numpy.arange(24, dtype=numpy.uint8).reshape(2, 3, 4)

    def test_holds_values_in_their_shape(self, tmp_path: Path) -> None:
        write_idx(tmp_path / "idx", self.values)
        assert read_idx(str(tmp_path / "idx"), 3).tolist() == self.values.tolist()

    @pytest.mark.parametrize(["content", "message"], [
        (b"", "begins with nothing; an IDX file of bytes in 3 dimensions begins with 00000803"),
        (b"\x00\x00\x08\x01" + struct.pack(">I", 1) + b"\x00", "begins with 00000801; .* begins with 00000803"),
        (b"\x1f\x8b\x08\x00", "begins with 1f8b0800"),
        (struct.pack(">II", 0x803, 1), "ends within its header, after 8 of 16 bytes"),
        (struct.pack(">IIII", 0x803, 2, 2, 2) + bytes(7), "holds 23 bytes; with 2 x 2 x 2 values it must be 24"),
        (struct.pack(">IIII", 0x803, 2, 2, 2) + bytes(9), "holds 25 bytes; with 2 x 2 x 2 values it must be 24"),
        (struct.pack(">IIII", 0x803, 0xffffffff, 0xffffffff, 2), "holds 16 bytes; with 4294967295 x 4294967295 x 2"),
    ])
    def test_that_is_not_whole_is_refused(self, tmp_path: Path, content: bytes, message: str) -> None:
        (tmp_path / "idx").write_bytes(content)
        with pytest.raises(TrainingError, match=message) as refused:
            read_idx(str(tmp_path / "idx"), 3)
        assert str(refused.value).lower().endswith("download it again")

    @pytest.mark.parametrize("content", [b"no gzip", gzip.compress(bytes(1000))[:-9], gzip.compress(bytes(1000))[:5]])
    def test_whose_compression_is_broken_is_refused(self, tmp_path: Path, content: bytes) -> None:
        (tmp_path / "idx.gz").write_bytes(content)
        with pytest.raises(TrainingError, match=r"idx.gz cannot be read \(.*\); download it again"):
            read_idx(str(tmp_path / "idx.gz"), 3)
