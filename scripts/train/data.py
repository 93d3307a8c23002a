"""The data to train on: scikit-learn's digits in an .npz file, or MNIST in the files that it is published as."""
from __future__ import annotations

import argparse
import gzip
import math
import os
import struct
import zlib
from typing import NamedTuple

import numpy
import torch
from torch import Tensor

from arguments import TrainingArguments, TrainingError, first_line


class ImageArguments(TrainingArguments):
    """The flags of `add_image_arguments`, as argparse has read them."""

    dataset: str
    data: str | None
    data_dir: str


def add_image_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--dataset", choices=["digits", "mnist"], default="digits",
                        help="digits: 1,797 images of 8 x 8; mnist: MNIST's 70,000 of 28 x 28")
    parser.add_argument("--data-dir", default=os.path.dirname(os.path.abspath(__file__)), metavar="FOLDER",
                        help="where digits.npz or MNIST's four IDX files lie; default: beside this script")
    parser.add_argument("--data", metavar="FILE",
                        help="the digits' .npz file, with the arrays images and labels; default: digits.npz in --data-dir")


def check_image_arguments(parser: argparse.ArgumentParser, args: ImageArguments) -> None:
    """Ends the script with exit code 2 unless the flags make sense."""
    if args.dataset == "mnist" and args.data is not None:
        parser.error(f"--data {args.data} is for --dataset digits; name the folder of MNIST's files with --data-dir")


class Samples(NamedTuple):
    inputs: Tensor  # N x ...; of images float32, N x 1 x height x width, 0 to 1
    targets: Tensor  # whole numbers, one for each sample, or N x ...; of images int64, N, 0 to 9
    training: Tensor  # int64, which of the N to train on, in a random order
    held_out: Tensor  # int64, which of the N to test with


def load_samples(args: ImageArguments, world_size: int = 1) -> Samples:
    """The samples that the flags name, split the same way on every rank.

    The number to train on can be divided by the world size: otherwise DistributedSampler would give some samples to
    two ranks.
    """
    if args.dataset == "mnist":
        return load_mnist(args.data_dir, world_size, args.seed)
    images, labels = load_digits(args.data or os.path.join(args.data_dir, "digits.npz"))
    return Samples(images, labels, *split(len(labels), world_size, args.seed))


def split(count: int, world_size: int, seed: int) -> tuple[Tensor, Tensor]:
    """Which samples to train on, and which are held out: a fifth, and the few that would make the shards unequal."""
    order = torch.randperm(count, generator=torch.Generator().manual_seed(seed))
    training = (count - count // 5) // world_size * world_size
    if training == 0:
        raise TrainingError(f"{count} samples are too few for {world_size} ranks; take fewer ranks or more data")
    return order[:training], order[training:]


def load_digits(path: str) -> tuple[Tensor, Tensor]:
    """The images (float, N x 1 x 8 x 8, 0 to 1) and labels (N, 0 to 9) of an .npz file."""
    try:
        with numpy.load(path, allow_pickle=False) as arrays:
            images, labels = arrays["images"], arrays["labels"]
    except KeyError as error:
        raise TrainingError(f"{path} holds no array {error}; it must hold images and labels") from error
    except FileNotFoundError as error:
        raise TrainingError(f"there is no data file {path}; write one with write_digits.py, "
                            "or name another with --data") from error
    except Exception as error:  # numpy raises many kinds of errors for a file that is no .npz
        raise TrainingError(f"{path} cannot be read as an .npz file ({error}); write one with write_digits.py") from error
    if images.shape != (len(labels), 8, 8) or labels.ndim != 1 or not len(labels):
        raise TrainingError(f"{path} holds images of shape {images.shape} and labels of shape {labels.shape}; "
                            "they must be N x 8 x 8 and N")
    if labels.dtype.kind not in "iu" or labels.min() < 0 or labels.max() > 9:
        raise TrainingError(f"{path} holds labels that are not whole numbers from 0 to 9")
    return torch.from_numpy(images).float().unsqueeze(1) / 16, torch.from_numpy(labels).long()


# MNIST, in the IDX format: a magic number (two zero bytes, the type of the values, the number of dimensions), the size
# of each dimension as a big-endian 32-bit number, then the values. Its authors' page describes it:
# http://yann.lecun.com/exdb/mnist/
MNIST_FILES = {
    "training": ("train-images-idx3-ubyte", "train-labels-idx1-ubyte"),
    "test": ("t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte"),
}
UNSIGNED_BYTES = 8


def load_mnist(folder: str, world_size: int, seed: int) -> Samples:
    """MNIST's training set to train on and its test set as the held-out samples."""
    images, labels = load_idx_pair(folder, *MNIST_FILES["training"])
    test_images, test_labels = load_idx_pair(folder, *MNIST_FILES["test"])
    if images.shape[1:] != test_images.shape[1:]:
        raise TrainingError(f"{folder} holds images of {size_of(images)} to train on and of {size_of(test_images)} to test "
                            "with; take all four files from the same data set")
    training = len(labels) // world_size * world_size
    if training == 0:
        raise TrainingError(f"{len(labels)} samples are too few for {world_size} ranks; take fewer ranks or more data")
    order = torch.randperm(len(labels), generator=torch.Generator().manual_seed(seed))
    return Samples(
        torch.cat([images, test_images]).unsqueeze(1).float() / 255,
        torch.cat([labels, test_labels]).long(),
        order[:training],
        torch.arange(len(labels), len(labels) + len(test_labels)),
    )


def load_idx_pair(folder: str, images_name: str, labels_name: str) -> tuple[Tensor, Tensor]:
    """The images (uint8, N x height x width) and labels (uint8, N, 0 to 9) of two IDX files that belong together."""
    images_path, labels_path = find_idx(folder, images_name), find_idx(folder, labels_name)
    images, labels = read_idx(images_path, dimensions=3), read_idx(labels_path, dimensions=1)
    if len(images) != len(labels):
        raise TrainingError(f"{images_path} holds {len(images)} images and {labels_path} {len(labels)} labels; "
                            "take both from the same data set")
    if not images.numel() or min(images.shape[1:]) < 2:
        raise TrainingError(f"{images_path} holds {len(images)} images of {size_of(images)}; "
                            "it must be at least one, of 2 x 2 or more")
    if labels.max() > 9:
        raise TrainingError(f"{labels_path} holds the label {labels.max()}; labels must be 0 to 9")
    return images, labels


def size_of(images: Tensor) -> str:
    return " x ".join(map(str, images.shape[1:]))


def find_idx(folder: str, name: str) -> str:
    """The path of an IDX file, also where it is compressed or lies where torchvision puts it."""
    for place in (folder, os.path.join(folder, "MNIST", "raw")):
        for path in (os.path.join(place, name), os.path.join(place, f"{name}.gz")):
            if os.path.isfile(path):
                return path
    names = ", ".join(name for pair in MNIST_FILES.values() for name in pair)
    raise TrainingError(f"there is no {name} or {name}.gz in {folder}, nor in its MNIST/raw; put MNIST's four files there "
                        f"({names}), or name their folder with --data-dir")


def read_idx(path: str, dimensions: int) -> Tensor:
    """The values (uint8) of an IDX file with this many dimensions; .gz is uncompressed.

    Raises TrainingError for a file that is no such file, or not whole.
    """
    try:
        with (gzip.open(path) if path.endswith(".gz") else open(path, "rb")) as file:
            content = file.read()
    except (OSError, EOFError, zlib.error) as error:
        raise TrainingError(f"{path} cannot be read ({first_line(error)}); download it again") from error
    header = 4 + 4 * dimensions
    magic, expected = content[:4], bytes([0, 0, UNSIGNED_BYTES, dimensions])
    if magic != expected:
        raise TrainingError(f"{path} begins with {magic.hex() or 'nothing'}; an IDX file of bytes in {dimensions} "
                            f"dimension{'s' if dimensions > 1 else ''} begins with {expected.hex()}. Download it again")
    if len(content) < header:
        raise TrainingError(f"{path} ends within its header, after {len(content)} of {header} bytes; download it again")
    shape = struct.unpack_from(f">{dimensions}I", content, 4)
    whole = header + math.prod(shape)
    if len(content) != whole:
        raise TrainingError(f"{path} holds {len(content)} bytes; with {' x '.join(map(str, shape))} values it must be "
                            f"{whole}. Download it again")
    values = numpy.frombuffer(content, dtype=numpy.uint8, offset=header)
    return torch.from_numpy(values.reshape(shape).copy())
