"""One rank's training, whatever the model and the data: what pytorch_mnist_dist.py and char_lm.py have in common.

Every rank trains on its own shard of the data, and the ranks bring together what they have learnt (see sync.py), so that
all end with the same parameters. Both claims are checked: training fails if they do not hold.
"""
from __future__ import annotations

import argparse
import dataclasses
import hashlib
import json
import math
import os
import signal
import time
from typing import Any, Callable, Iterator, NamedTuple

import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.utils.data import DataLoader, TensorDataset
from torch.utils.data.distributed import DistributedSampler

from arguments import (
    TrainingArguments, TrainingError, add_training_arguments, check_training_arguments, fail, first_line, leave, say
)
from checkpoint import Checkpoints, State
from data import Samples
from group import (
    Group, GroupArguments, add_group_arguments, check_group_arguments, check_parameters, check_samples, check_shards,
    choose_interface, join_group
)
from metrics import Metrics, StepClock
from model import count_parameters, evaluate, mean_loss, use_threads
from sync import LinkArguments, SyncArguments, add_sync_arguments, check_sync_arguments, make_sync


class RankArguments(TrainingArguments, GroupArguments, LinkArguments):
    threads: int
    max_steps: int | None
    checkpoint_dir: str | None
    checkpoint_every: int


class Job(NamedTuple):
    """What is trained, and on what."""

    load: Callable[[], Samples]  # the same on every rank
    source: str  # where they come from, for people
    build: Callable[[Samples], nn.Module]  # its first parameters follow from PyTorch's seed
    optimizer: Callable[[Iterator[nn.Parameter]], torch.optim.Optimizer]
    settings: dict[str, Any]  # what else makes the same step the same state


def add_rank_arguments(parser: argparse.ArgumentParser) -> None:
    add_group_arguments(parser)
    add_training_arguments(parser)
    add_sync_arguments(parser)
    parser.add_argument("--threads", type=int, default=1,
                        help="CPU threads; more than one costs more than it brings on models this small")
    parser.add_argument("--max-steps", type=int, metavar="N", help="end after N steps, also within an epoch")
    parser.add_argument("--checkpoint-dir", default=os.environ.get("CHECKPOINT_DIR"), metavar="FOLDER",
                        help="save the state of training there, and go on from it after a stop; of each rank its own")
    parser.add_argument("--checkpoint-every", type=int, default=os.environ.get("CHECKPOINT_EVERY", "50"), metavar="STEPS")


def check_rank_arguments(parser: argparse.ArgumentParser, args: RankArguments, *more: str) -> None:
    """Ends the script with exit code 2 unless the flags make sense; `more` names further ones that must be positive."""
    check_group_arguments(parser, args)
    limits = [] if args.max_steps is None else ["max_steps"]
    check_training_arguments(parser, args, "timeout", "threads", "checkpoint_every", *limits, *more)
    check_sync_arguments(parser, args, args.world_size)


@dataclasses.dataclass
class Progress:
    """How far training has come, in numbers."""

    epoch: int = 1
    steps_of_epoch: int = 0
    steps: int = 0
    seconds: float = 0.0
    communication_seconds: float = 0.0
    payload_bytes: int = 0
    sent_bytes: int = 0
    samples_seen: int = 0  # in whole epochs
    epoch_loss: float = 0.0  # summed over the samples
    epoch_seconds: float = 0.0


class Outcome(NamedTuple):
    """Of an epoch, of all ranks together."""

    loss: float  # mean of what was trained on
    held_out_loss: float
    accuracy: float


class Training:
    """From joining the other ranks to the result."""

    def __init__(self, args: RankArguments, job: Job) -> None:
        self.args = args
        self.samples: Samples = job.load()
        interface = choose_interface(args)
        self.metrics = Metrics(args.output, args.rank, interface)
        self.group: Group = join_group(args)
        check_samples(self.samples, job.source)
        shard_size = len(self.samples.training) // args.world_size
        say(f"rank {args.rank} of {args.world_size}: PyTorch {torch.__version__}, {self.group.device}, "
            f"{self.group.backend} over {interface}, {shard_size} of {len(self.samples.training)} training samples")

        torch.manual_seed(args.seed)
        self.model = job.build(self.samples).to(self.group.device)
        self.clock = StepClock(self.model, self.group.device)
        self.optimizer = job.optimizer(self.model.parameters())
        self.sync = make_sync(args, self.model, self.optimizer, self.group, self.clock)

        inputs, targets, training, held_out = self.samples
        # The third column says which sample each row is, to check afterwards what was trained on.
        dataset = TensorDataset(inputs[training], targets[training], training)
        self.sampler = DistributedSampler(dataset, num_replicas=args.world_size, rank=args.rank, seed=args.seed)
        self.loader = DataLoader(dataset, batch_size=args.batch_size, sampler=self.sampler)
        self.last_step = min(args.epochs * len(self.loader), args.max_steps or math.inf)
        own_share = held_out[args.rank::args.world_size]
        self.test_inputs, self.test_targets = inputs[own_share], targets[own_share]

        same_state = ("world_size", "batch_size", "lr", "momentum", "seed", *SyncArguments.__annotations__)
        self.checkpoints = Checkpoints(args.checkpoint_dir, args.checkpoint_every, args.rank,
                                       {**job.settings, **{name: getattr(args, name) for name in same_state}})
        self.progress = Progress()
        self.seen: list[Tensor] = []  # the samples of this epoch's steps
        self.shard: list[Tensor] = []  # those of the first epoch
        self.resume()
        self.metrics.start(self.model, world_size=args.world_size, backend=self.group.backend, device=self.group.device,
                           samples=shard_size, epochs=args.epochs, sync=args.sync, bucket_bytes=self.sync.bucket_bytes,
                           overlap_steps=self.sync.overlap_steps)

    def state(self) -> State:
        """All that another attempt needs to go on; of the optimizer what is not a setting."""
        tensors = {"model": self.model.state_dict(), "optimizer": self.optimizer.state_dict()["state"],
                   "sync": self.sync.state(), "seen": self.seen, "shard": self.shard}
        return State(tensors, vars(self.progress))

    def resume(self) -> None:
        """Goes on where the newest checkpoint of all ranks ends, if there is one."""
        state = self.checkpoints.newest()
        if state is None:
            return
        self.model.load_state_dict(state.tensors["model"])
        self.optimizer.load_state_dict({**self.optimizer.state_dict(), "state": state.tensors["optimizer"]})
        self.seen, self.shard = state.tensors["seen"], state.tensors["shard"]
        self.progress = Progress(**state.numbers)
        # DistributedDataParallel puts the gradients into another order after its first step, in which the sums of three
        # and more ranks round otherwise. This first step, whose gradients are thrown away, has that happen now.
        self.sync.module(self.samples.inputs[:1].to(self.group.device)).sum().backward()
        self.sync.load(state.tensors["sync"], self.progress.steps)
        say(f"rank {self.args.rank}: goes on after step {self.progress.steps}, in epoch {self.progress.epoch}")

    def run(self) -> dict[str, Any]:
        """Trains to the end; returns what the RESULT line says."""
        outcome = Outcome(math.nan, math.nan, math.nan)
        epoch = self.progress.epoch
        while epoch <= self.args.epochs and (self.progress.steps < self.last_step or self.seen):
            self.progress.epoch = epoch
            outcome = self.train_epoch()
            epoch += 1
        done = self.progress
        shard = sorted(torch.cat(self.shard).tolist())
        return {
            "rank": self.args.rank,
            "worldSize": self.args.world_size,
            "backend": self.group.backend,
            "sync": self.args.sync,
            "epochs": done.epoch,
            "steps": done.steps,
            "finalLoss": outcome.loss,
            "heldOutLoss": outcome.held_out_loss,
            "accuracy": outcome.accuracy,
            "parametersSha256": check_parameters(self.model),
            "parameters": count_parameters(self.model),
            "gradientBytesPerStep": done.payload_bytes / done.steps,
            "sentBytesPerStep": done.sent_bytes / done.steps,
            "secondsPerStep": done.seconds / done.steps,
            "computeSecondsPerStep": (done.seconds - done.communication_seconds) / done.steps,
            "communicationSecondsPerStep": done.communication_seconds / done.steps,
            "samplesSeen": done.samples_seen,
            "shardIndices": len(shard),
            "shardSha256": hashlib.sha256(",".join(map(str, shard)).encode()).hexdigest(),
        }

    def train_epoch(self) -> Outcome:
        """To its end, or to that of training."""
        args, progress = self.args, self.progress
        self.sampler.set_epoch(progress.epoch)  # another order, and other shards, in every epoch
        done = progress.steps_of_epoch  # before a checkpoint
        self.clock.start()
        for step, (inputs, targets, samples) in enumerate(self.loader, start=1):
            if progress.steps == self.last_step:
                break
            if step > done:
                self.train_step(step, inputs, targets, samples)
        if not self.shard:
            check_shards(torch.cat(self.seen), self.samples.training, progress.steps_of_epoch == len(self.loader))
            self.shard = self.seen
        outcome = self.outcome_of_epoch()
        steps = progress.steps_of_epoch
        say(f"epoch {progress.epoch}/{args.epochs} loss {outcome.loss:.4f} accuracy {outcome.accuracy:.3f} {steps} steps "
            f"{progress.epoch_seconds / steps:.3f} s/step")
        self.metrics.epoch(progress.epoch, progress.steps, outcome.loss, outcome.accuracy, progress.epoch_seconds)
        self.seen = []
        progress.steps_of_epoch, progress.epoch_loss, progress.epoch_seconds = 0, 0.0, 0.0
        return outcome

    def outcome_of_epoch(self) -> Outcome:
        """Each rank tests its own parameters with its share of the held-out samples."""
        args, progress = self.args, self.progress
        seen = sum(map(len, self.seen))
        progress.samples_seen += seen
        held_out_loss, right = evaluate(self.model, self.test_inputs, self.test_targets, args.batch_size, self.group.device)
        totals = torch.tensor([progress.epoch_loss, seen, held_out_loss, right, self.test_targets.numel()],
                              dtype=torch.float64)
        dist.all_reduce(totals)
        loss, held_out_loss, accuracy = (totals[0] / totals[1]).item(), *(totals[2:4] / totals[4]).tolist()
        if not math.isfinite(loss):
            raise TrainingError(f"the loss is {loss} in epoch {progress.epoch}: training has diverged. "
                                f"Give a lower --lr (it is {args.lr:g}) or --momentum (it is {args.momentum:g})")
        return Outcome(loss, held_out_loss, accuracy)

    def train_step(self, step: int, inputs: Tensor, targets: Tensor, samples: Tensor) -> None:
        """One batch of this rank's; `step` counts within the epoch."""
        args, progress, device = self.args, self.progress, self.group.device
        self.optimizer.zero_grad()
        loss = mean_loss(self.sync.module(inputs.to(device)), targets.to(device))
        loss.backward()  # averages the gradients over all ranks, unless the mode has ranks train alone
        self.clock.gradients_are_averaged()
        payload = self.sync.end_step(progress.steps + 1, is_last=progress.steps + 1 == self.last_step)
        loss_value = loss.item()
        seconds, communication_seconds = self.clock.end_step()

        progress.steps += 1
        progress.steps_of_epoch = step
        progress.seconds += seconds
        progress.communication_seconds += communication_seconds
        progress.epoch_seconds += seconds
        progress.epoch_loss += loss_value * len(samples)
        progress.payload_bytes += payload
        self.seen.append(samples)
        progress.sent_bytes += self.metrics.step(progress.epoch, progress.steps, loss_value, seconds, communication_seconds,
                                                 payload)
        if args.log_interval and step % args.log_interval == 0:
            say(f"epoch {progress.epoch}/{args.epochs} step {step}/{len(self.loader)} loss {loss_value:.4f}")
        self.checkpoints.save(progress.steps, self.state)


def train(args: RankArguments, job: Job) -> None:
    """Trains, prints the line RESULT and ends the process, with exit code 0 only if all went well."""
    # The system's own action ends the process at once (exit code 143), also inside PyTorch's C++ code, where a
    # Python handler would have to wait.
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    use_threads(args.threads)
    started = time.monotonic()
    try:
        training = Training(args, job)
        result = training.run()
        training.metrics.result(result)
        dist.barrier()  # rank 0 holds the rendezvous: it must not leave while another rank still works
        dist.destroy_process_group()
    except TrainingError as error:
        fail(args.rank, str(error))
    except RuntimeError as error:  # what torch.distributed raises when a peer or the network is lost
        fail(args.rank, f"training stopped after {time.monotonic() - started:.1f} s: {first_line(error)}\n"
                        "If this names a connection or a timeout, another rank ended or the network between the nodes "
                        f"was cut for longer than --timeout {args.timeout:g} s: look at the logs of the other ranks first.")
    say(f"RESULT {json.dumps(result)}")
    leave(0)
