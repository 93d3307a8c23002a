"""Settings that all the training scripts share, as flags of the command line, and the error for what a user can fix."""
from __future__ import annotations

import argparse
import os
import sys
from typing import NoReturn


class TrainingError(Exception):
    """Something the user can understand and fix: shown as one message, without a traceback."""


class TrainingArguments(argparse.Namespace):
    """The flags of `add_training_arguments`, as argparse has read them."""

    batch_size: int
    epochs: int
    lr: float
    momentum: float
    seed: int
    log_interval: int
    no_cuda: bool
    output: str | None


def add_training_arguments(parser: argparse.ArgumentParser, each: str = "rank") -> None:
    """Adds the shared flags; `each` says what --batch-size counts for: each rank, each GPU."""
    parser.add_argument("--batch-size", type=int, default=64, help=f"samples a step on each {each}")
    parser.add_argument("--epochs", type=int, default=10)
    parser.add_argument("--lr", type=float, default=0.01)
    parser.add_argument("--momentum", type=float, default=0.5)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--log-interval", type=int, default=10, help="steps between two lines, 0: epochs only")
    parser.add_argument("--no-cuda", action="store_true", help="train on the CPU even if there is a GPU")
    parser.add_argument("--output", metavar="FILE",
                        help="append the metrics of every step there, as JSON lines; "
                             "default: rank-N.jsonl in the folder METRICS_DIR of the environment")


def check_training_arguments(parser: argparse.ArgumentParser, args: TrainingArguments, *more: str) -> None:
    """Ends the script with exit code 2 unless the flags make sense; `more` names further ones that must be positive."""
    for name in ("batch_size", "epochs", *more):
        if getattr(args, name) <= 0:
            parser.error(f"--{name.replace('_', '-')} is {getattr(args, name)}; it must be more than 0")


def first_line(error: BaseException) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0]


def say(line: str) -> None:
    """Prints a line at once and in one piece: processes of one node may share their output."""
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


def fail(rank: int, message: str) -> NoReturn:
    sys.stderr.write(f"rank {rank}: error: {message}\n")
    leave(1)


def leave(code: int) -> NoReturn:
    """Ends the process at once: a normal exit could wait in PyTorch's threads for peers that are gone."""
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)
