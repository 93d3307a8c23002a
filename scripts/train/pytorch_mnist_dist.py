#!/usr/bin/env python3
"""Trains a small CNN on handwritten digits with PyTorch DistributedDataParallel, one process (rank) a node or a GPU.

Start it once on every node, the same everywhere except for --rank:

    python pytorch_mnist_dist.py --master-addr 192.168.1.2 --rank 0     # on 192.168.1.2
    python pytorch_mnist_dist.py --master-addr 192.168.1.2 --rank 1     # on 192.168.2.2

or by torchrun, with a process for each GPU of a node:

    torchrun --nnodes 2 --nproc_per_node 2 --node_rank 0 --master_addr 192.168.1.2 --master_port 29500 \\
        pytorch_mnist_dist.py                                           # and --node_rank 1 on the other node

Every rank trains on its own shard of the data; after each step the gradients are averaged over all
ranks, so all ranks keep the same parameters. Both claims are checked: the script fails if they do not hold.
The last line on stdout is `RESULT {json}`. Beside it lie its modules: arguments, checkpoint, data, group, metrics, model.
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
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel
from torch.utils.data import DataLoader, TensorDataset
from torch.utils.data.distributed import DistributedSampler

from arguments import (
    TrainingArguments, TrainingError, add_training_arguments, check_training_arguments, fail, first_line, leave, say
)
from checkpoint import Checkpoints, State
from data import Samples, load_samples
from group import (
    Group, GroupArguments, add_group_arguments, check_group_arguments, check_parameters, check_shards, choose_interface,
    join_group
)
from metrics import Metrics, StepClock
from model import count_parameters, count_right, gradient_bytes, model_for


class Arguments(TrainingArguments, GroupArguments):
    threads: int
    checkpoint_dir: str | None
    checkpoint_every: int


def parse_arguments() -> Arguments:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    add_group_arguments(parser)
    add_training_arguments(parser)
    parser.add_argument("--threads", type=int, default=1,
                        help="CPU threads; more than one costs more than it brings on images this small")
    parser.add_argument("--checkpoint-dir", default=os.environ.get("CHECKPOINT_DIR"), metavar="FOLDER",
                        help="save the state of training there, and go on from it after a stop; of each rank its own")
    parser.add_argument("--checkpoint-every", type=int, default=os.environ.get("CHECKPOINT_EVERY", "50"), metavar="STEPS")
    args = parser.parse_args(namespace=Arguments())
    check_group_arguments(parser, args)
    check_training_arguments(parser, args, "timeout", "threads", "checkpoint_every")
    return args


@dataclasses.dataclass
class Progress:
    """How far training has come, in numbers."""

    epoch: int = 1
    steps_of_epoch: int = 0
    steps: int = 0
    seconds: float = 0.0  # of whole epochs
    samples_seen: int = 0  # in whole epochs
    epoch_loss: float = 0.0  # summed over the samples
    epoch_seconds: float = 0.0


class Training:
    """One rank's training, from joining the others to the result."""

    def __init__(self, args: Arguments) -> None:
        self.args = args
        self.samples: Samples = load_samples(args, args.world_size)
        interface = choose_interface(args)
        self.metrics = Metrics(args.output, args.rank, interface)
        self.group: Group = join_group(args)
        shard_size = len(self.samples.training) // args.world_size
        say(f"rank {args.rank} of {args.world_size}: PyTorch {torch.__version__}, {self.group.device}, "
            f"{self.group.backend} over {interface}, {shard_size} of {len(self.samples.training)} training samples")

        torch.manual_seed(args.seed)
        self.model = model_for(self.samples.images).to(self.group.device)
        self.clock = StepClock(self.model, self.group.device)
        self.distributed = DistributedDataParallel(self.model, process_group=self.group.gradients)
        self.optimizer = torch.optim.SGD(self.model.parameters(), lr=args.lr, momentum=args.momentum)
        self.loss_of = nn.CrossEntropyLoss()

        images, labels, training, held_out = self.samples
        # The third column says which sample each row is, to check afterwards what was trained on.
        dataset = TensorDataset(images[training], labels[training], training)
        self.sampler = DistributedSampler(dataset, num_replicas=args.world_size, rank=args.rank, seed=args.seed)
        self.loader = DataLoader(dataset, batch_size=args.batch_size, sampler=self.sampler)
        own_share = held_out[args.rank::args.world_size]
        self.test_images, self.test_labels = images[own_share].to(self.group.device), labels[own_share].to(self.group.device)

        same_state = ("world_size", "dataset", "batch_size", "lr", "momentum", "seed")
        self.checkpoints = Checkpoints(args.checkpoint_dir, args.checkpoint_every, args.rank,
                                       {name: getattr(args, name) for name in same_state})
        self.progress = Progress()
        self.seen: list[Tensor] = []  # the samples of this epoch's steps
        self.shard: list[Tensor] = []  # those of the first epoch
        self.resume()
        self.metrics.start(self.model, world_size=args.world_size, backend=self.group.backend, device=self.group.device,
                           samples=shard_size, epochs=args.epochs)

    def state(self) -> State:
        """All that another attempt needs to go on; of the optimizer what is not a setting."""
        tensors = {"model": self.model.state_dict(), "optimizer": self.optimizer.state_dict()["state"],
                   "seen": self.seen, "shard": self.shard}
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
        self.distributed(self.samples.images[:1].to(self.group.device)).sum().backward()
        say(f"rank {self.args.rank}: goes on after step {self.progress.steps}, in epoch {self.progress.epoch}")

    def run(self) -> dict[str, Any]:
        """Trains to the end; returns what the RESULT line says."""
        loss, accuracy = math.nan, math.nan
        for epoch in range(self.progress.epoch, self.args.epochs + 1):
            self.progress.epoch = epoch
            loss, accuracy = self.train_epoch()
        done = self.progress
        shard = sorted(torch.cat(self.shard).tolist())
        return {
            "rank": self.args.rank,
            "worldSize": self.args.world_size,
            "backend": self.group.backend,
            "epochs": self.args.epochs,
            "steps": done.steps,
            "finalLoss": loss,
            "accuracy": accuracy,
            "parametersSha256": check_parameters(self.model),
            "parameters": count_parameters(self.model),
            "gradientBytesPerStep": gradient_bytes(self.model),
            "secondsPerStep": done.seconds / done.steps,
            "samplesSeen": done.samples_seen,
            "shardIndices": len(shard),
            "shardSha256": hashlib.sha256(",".join(map(str, shard)).encode()).hexdigest(),
        }

    def train_epoch(self) -> tuple[float, float]:
        """The mean loss and the accuracy, of all ranks together."""
        args, progress = self.args, self.progress
        self.sampler.set_epoch(progress.epoch)  # another order, and other shards, in every epoch
        done = progress.steps_of_epoch  # before a checkpoint
        self.clock.start()
        for step, (images, labels, samples) in enumerate(self.loader, start=1):
            if step > done:
                self.train_step(step, images, labels, samples)
        if not self.shard:
            check_shards(torch.cat(self.seen), self.samples.training)
            self.shard = self.seen
        seen = sum(map(len, self.seen))
        progress.samples_seen += seen
        progress.seconds += progress.epoch_seconds

        right = count_right(self.model, self.test_images, self.test_labels)
        totals = torch.tensor([progress.epoch_loss, seen, right], dtype=torch.float64)
        dist.all_reduce(totals)
        loss, accuracy = (totals[0] / totals[1]).item(), totals[2].item() / len(self.samples.held_out)
        if not math.isfinite(loss):
            raise TrainingError(f"the loss is {loss} in epoch {progress.epoch}: training has diverged. "
                                f"Give a lower --lr (it is {args.lr:g}) or --momentum (it is {args.momentum:g})")
        say(f"epoch {progress.epoch}/{args.epochs} loss {loss:.4f} accuracy {accuracy:.3f} {len(self.loader)} steps "
            f"{progress.epoch_seconds / len(self.loader):.3f} s/step")
        self.metrics.epoch(progress.epoch, progress.steps, loss, accuracy, progress.epoch_seconds)
        self.seen = []
        progress.steps_of_epoch, progress.epoch_loss, progress.epoch_seconds = 0, 0.0, 0.0
        return loss, accuracy

    def train_step(self, step: int, images: Tensor, labels: Tensor, samples: Tensor) -> None:
        """One batch of this rank's; `step` counts within the epoch."""
        args, progress, device = self.args, self.progress, self.group.device
        self.optimizer.zero_grad()
        loss = self.loss_of(self.distributed(images.to(device)), labels.to(device))
        loss.backward()  # averages the gradients over all ranks
        self.clock.gradients_are_averaged()
        self.optimizer.step()
        loss_value = loss.item()
        seconds, communication_seconds = self.clock.end_step()

        progress.steps += 1
        progress.steps_of_epoch = step
        progress.epoch_seconds += seconds
        progress.epoch_loss += loss_value * len(samples)
        self.seen.append(samples)
        self.metrics.step(progress.epoch, progress.steps, loss_value, seconds, communication_seconds)
        if args.log_interval and step % args.log_interval == 0:
            say(f"epoch {progress.epoch}/{args.epochs} step {step}/{len(self.loader)} loss {loss_value:.4f}")
        self.checkpoints.save(progress.steps, self.state())


def main() -> None:
    # The system's own action ends the process at once (exit code 143), also inside PyTorch's C++ code, where a
    # Python handler would have to wait.
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    args = parse_arguments()
    torch.set_num_threads(args.threads)
    started = time.monotonic()
    try:
        training = Training(args)
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


if __name__ == "__main__":
    main()
