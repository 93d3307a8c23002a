"""States of training on disk, from which a stopped or crashed run goes on."""
from __future__ import annotations

import json
import os
import pickle
from pathlib import Path
from typing import Any, Callable, Iterable, NamedTuple

import torch

from arguments import TrainingError, first_line
from group import gather


class State(NamedTuple):
    tensors: dict[str, Any]  # tensors, and dictionaries and lists of them
    numbers: dict[str, Any]


class Checkpoints:
    """The last states of training of this rank, as files `step-N.pt`; does nothing without a folder.

    `settings` are what makes the same step the same state: a run with others is another run.
    """

    KEPT = 2  # ranks may be one checkpoint apart when they are stopped: the one before is in all hands

    def __init__(self, folder: str | None, every: int, rank: int, settings: dict[str, Any]) -> None:
        self._folder = None if folder is None else os.path.join(folder, f"rank-{rank}")
        self._every = every
        self._settings = settings
        if self._folder is not None:
            try:
                os.makedirs(self._folder, exist_ok=True)
            except OSError as error:
                raise TrainingError(f"cannot make the folder {self._folder} of --checkpoint-dir: {error.strerror}; "
                                    "name one that can be written") from error

    def steps(self) -> list[int]:
        """Steps that there are checkpoints of, newest first."""
        if self._folder is None:
            return []
        names = (name[len("step-"):-len(".pt")] for name in os.listdir(self._folder) if name.endswith(".pt"))
        return sorted((int(name) for name in names), reverse=True)

    def save(self, step: int, make_state: Callable[[], State]) -> None:
        """Whole or not at all, also when the machine fails in between; of every so many steps."""
        if self._folder is None or step % self._every:
            return
        state = make_state()
        target = os.path.join(self._folder, f"step-{step}.pt")
        # Numbers as text: with weights_only, which runs no code of a file, PyTorch 1.13 loads none with a point.
        content = {"tensors": state.tensors, "numbers": json.dumps(state.numbers), "settings": json.dumps(self._settings)}
        try:
            with open(f"{target}.part", "wb") as file:
                torch.save(content, file)
                file.flush()
                os.fsync(file.fileno())
            os.replace(f"{target}.part", target)
            self._delete(self.steps()[self.KEPT:])
        except OSError as error:
            raise TrainingError(f"cannot write the checkpoint {target}: {error.strerror}; "
                                "make room or name another --checkpoint-dir") from error

    def _delete(self, steps: Iterable[int]) -> None:
        for step in steps:
            os.unlink(os.path.join(self._folder or "", f"step-{step}.pt"))

    def _put_aside(self, steps: Iterable[int]) -> None:
        """Keeps the newest ones by another name: the folder of a rank that has none may be back later."""
        folder = self._folder or ""
        try:
            for step in sorted(steps):
                os.replace(os.path.join(folder, f"step-{step}.pt"), os.path.join(folder, f"step-{step}.pt.aside"))
            aside = sorted(Path(folder).glob("step-*.pt.aside"), key=lambda path: path.stat().st_mtime, reverse=True)
            for path in aside[self.KEPT:]:
                path.unlink()
        except OSError as error:
            raise TrainingError(f"a checkpoint in {folder} that not all ranks have cannot be put aside: {error.strerror}; "
                                "make that folder writable, or name another --checkpoint-dir") from error

    def newest(self) -> State | None:
        """The newest state that every rank has a checkpoint of; None where training begins. All ranks must ask."""
        mine = (self.steps() + [0] * self.KEPT)[:self.KEPT]
        everyone = [set(steps.tolist()) for steps in gather(torch.tensor(mine))]
        step = max(set.intersection(*everyone), default=0)
        # A rank whose node was replaced has none. Later ones would outlive those that all ranks make from here on.
        self._put_aside([later for later in self.steps() if later > step])
        if step == 0 or self._folder is None:
            return None
        path = os.path.join(self._folder, f"step-{step}.pt")
        try:
            content = torch.load(path, map_location="cpu", weights_only=True)
        except (OSError, RuntimeError, EOFError, pickle.UnpicklingError) as error:
            raise TrainingError(f"the checkpoint {path} cannot be read ({first_line(error)}); delete it on every node "
                                "to go on from the one before") from error
        settings = json.loads(content["settings"])
        if settings != self._settings:
            raise TrainingError(f"{path} was made with the settings {settings}, this run has {self._settings}; "
                                "train on with those, or give another --checkpoint-dir")
        return State(content["tensors"], json.loads(content["numbers"]))
