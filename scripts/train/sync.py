"""How the ranks bring together what each has learnt: what they send to each other, and when.

    ddp        the gradients of every step, in full                                       4 bytes a parameter
    fp16       the same, rounded to 16 bits                                               2
    bf16       the same, with the range of 32 bits and 8 bits of precision                2
    powersgd   of each matrix of gradients an approximation of low rank                   rank * (rows + columns) * 4 a matrix
    local-sgd  every N steps the parameters; ranks train alone in between                 4 / N
    diloco     every N steps how far the parameters have moved, which an outer optimizer  4 / N, 2 / N or 1 / N
               follows (Nesterov's momentum); fp32, fp16 or int8

See https://arxiv.org/abs/1905.13727 (PowerSGD), https://arxiv.org/abs/1808.07217 (post-local SGD) and
https://arxiv.org/abs/2311.08105 (DiLoCo, and its overlap: https://arxiv.org/abs/2501.18512).
"""
from __future__ import annotations

import argparse
import os
from typing import Any, Callable

import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.distributed.algorithms.ddp_comm_hooks.default_hooks import bf16_compress_hook, fp16_compress_hook
from torch.distributed.algorithms.ddp_comm_hooks.post_localSGD_hook import PostLocalSGDState, post_localSGD_hook
from torch.distributed.algorithms.ddp_comm_hooks.powerSGD_hook import PowerSGDState, powerSGD_hook
from torch.distributed.algorithms.model_averaging.utils import average_parameters
from torch.nn.parallel import DistributedDataParallel
from torch.nn.utils.convert_parameters import parameters_to_vector, vector_to_parameters

from arguments import TrainingError, first_line
from group import Group
from metrics import StepClock
from model import gradient_bytes

MODES = ("ddp", "fp16", "bf16", "powersgd", "local-sgd", "diloco")
MOST_INT8_RANKS = 63  # then a number has 2 levels on each side of 0


class SyncArguments(argparse.Namespace):
    """What makes the same step the same state."""

    sync: str
    sync_every: int
    sync_precision: str
    sync_overlap: int
    powersgd_rank: int
    sync_warmup: int
    outer_lr: float
    outer_momentum: float


class LinkArguments(SyncArguments):
    """What also follows the link, which may change between two attempts of a run."""

    bucket_mib: float | None


def add_sync_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--sync", choices=MODES, default="ddp", help="how ranks bring together what they have learnt")
    parser.add_argument("--sync-every", type=int, default=20, metavar="STEPS", help="of local-sgd and diloco")
    parser.add_argument("--sync-precision", choices=["fp32", "fp16", "int8"], default="fp16", help="of what diloco averages")
    parser.add_argument("--sync-overlap", type=int, default=0, metavar="STEPS",
                        help="steps that diloco trains on while what it averages is under way; less than --sync-every")
    parser.add_argument("--powersgd-rank", type=int, default=4)
    parser.add_argument("--sync-warmup", type=int, default=0, metavar="STEPS",
                        help="steps of ddp before powersgd (which needs 2) and local-sgd begin")
    parser.add_argument("--outer-lr", type=float, default=0.7, help="of diloco")
    parser.add_argument("--outer-momentum", type=float, default=0.9, help="of diloco")
    parser.add_argument("--bucket-mib", type=float, default=os.environ.get("BUCKET_MIB"), metavar="MIB",
                        help="of ddp, fp16 and bf16 over gloo: gradients that go out together; default: BUCKET_MIB of the "
                             "environment, else PyTorch's 25")


def check_sync_arguments(parser: argparse.ArgumentParser, args: LinkArguments, world_size: int) -> None:
    """Ends the script with exit code 2 unless the flags make sense."""
    for name in ("sync_every", "powersgd_rank", "outer_lr"):
        if not getattr(args, name) > 0:
            parser.error(f"--{name.replace('_', '-')} is {getattr(args, name)}; it must be more than 0")
    if args.bucket_mib is not None and not args.bucket_mib > 0:
        parser.error(f"--bucket-mib is {args.bucket_mib:g}; it must be more than 0")
    if args.sync == "diloco" and not 0 <= args.sync_overlap < args.sync_every:
        parser.error(f"--sync-overlap is {args.sync_overlap}; it must be 0 or more, and less than --sync-every "
                     f"{args.sync_every}")
    if args.sync_warmup < 0:
        parser.error(f"--sync-warmup is {args.sync_warmup}; it must be 0 or more")
    if not 0 <= args.outer_momentum < 1:
        parser.error(f"--outer-momentum is {args.outer_momentum}; it must be at least 0 and less than 1")
    if args.sync == "diloco" and args.sync_precision == "int8" and world_size > MOST_INT8_RANKS:
        parser.error(f"--sync-precision int8 is for at most {MOST_INT8_RANKS} ranks, there are {world_size}; "
                     "take fp16 or fp32")


class Sync:
    """Mode ddp: the gradients are averaged in every backward pass of `module`. The other modes change that.

    `bucket_bytes` of gradients go out together while the backward pass goes on; None where they all wait for its end.
    `overlap_steps` are trained on while an average is under way.
    """

    bucket_bytes: int | None = None
    overlap_steps = 0

    def __init__(self, model: nn.Module, optimizer: torch.optim.Optimizer, group: Group,
                 bucket_mib: float | None = None) -> None:
        bucket: dict[str, Any] = {} if bucket_mib is None else {"bucket_cap_mb": bucket_mib}
        # Any: pyright takes its method for hooks for a tensor.
        self._distributed: Any = DistributedDataParallel(model, process_group=group.gradients, **bucket)
        self.bucket_bytes = self._distributed.bucket_bytes_cap
        self.module: nn.Module = self._distributed
        self._model, self._optimizer = model, optimizer

    def end_step(self, step: int, is_last: bool) -> int:
        """Updates the parameters after the backward pass of a step, which counts from 1; of the last one, so that all
        ranks have the same. Returns the bytes of payload that this rank has handed to the group in this step.
        """
        self._optimizer.step()
        return gradient_bytes(self._model)

    def state(self) -> dict[str, Any]:
        """Tensors that the next step depends on, beside those of the model and its optimizer."""
        return {}

    def load(self, state: dict[str, Any], steps: int) -> None:
        """Goes on with what `state` returned after so many steps."""


class SixteenBits(Sync):
    def __init__(self, model: nn.Module, optimizer: torch.optim.Optimizer, group: Group, mode: str,
                 bucket_mib: float | None) -> None:
        super().__init__(model, optimizer, group, bucket_mib)
        if mode == "bf16":
            check_that_bf16_can_be_summed(group)
        hook = bf16_compress_hook if mode == "bf16" else fp16_compress_hook
        self._distributed.register_comm_hook(group.gradients, hook)

    def end_step(self, step: int, is_last: bool) -> int:
        return super().end_step(step, is_last) // 2


def check_that_bf16_can_be_summed(group: Group) -> None:
    try:
        dist.all_reduce(torch.zeros(1, dtype=torch.bfloat16, device=group.device), group=group.gradients)
    except (RuntimeError, TypeError, ValueError) as error:
        raise TrainingError(f"--sync bf16 needs a group that sums bfloat16, and {group.backend} of PyTorch "
                            f"{torch.__version__} does not ({first_line(error)}); take --sync fp16, PyTorch 2.4 or "
                            "later, or nodes with GPU: nccl 2.10 and later does") from error


class PowerSgd(Sync):
    """What an approximation leaves out is added to the gradients of the next step (error feedback)."""

    FEWEST_DDP_STEPS = 2  # DistributedDataParallel changes the order of the gradients after the first

    def __init__(self, model: nn.Module, optimizer: torch.optim.Optimizer, group: Group, clock: StepClock, rank: int,
                 warmup: int) -> None:
        super().__init__(model, optimizer, group)
        self.bucket_bytes = None
        self._clock, self._device = clock, group.device
        # Without it a gradient of zeros, e.g. of units that are never active, would become NaN. PyTorch infers an int.
        epsilon: Any = 1e-8
        self._hook_state = PowerSGDState(group.gradients, matrix_approximation_rank=rank, orthogonalization_epsilon=epsilon,
                                         start_powerSGD_iter=max(warmup, self.FEWEST_DDP_STEPS))
        self._sent_numbers = 0
        self._distributed.register_comm_hook(
            # A function without annotations: DistributedDataParallel refuses those that are text.
            self._hook_state, lambda state, bucket: self._average_bucket(state, bucket))

    def _average_bucket(self, state: PowerSGDState, bucket: Any) -> Any:
        """One bucket of gradients after the other. Each sends three times, the second and third in callbacks, which gloo
        runs in threads: those of two buckets may come in one order here and in another order on another rank.
        """
        averaged = powerSGD_hook(state, bucket)
        if not bucket.is_last():
            with self._clock.communicating():
                averaged.wait()
        return averaged

    def end_step(self, step: int, is_last: bool) -> int:
        everything = super().end_step(step, is_last)
        before, self._sent_numbers = self._sent_numbers, self._hook_state.total_numel_after_compression
        return 4 * (self._sent_numbers - before) or everything

    def state(self) -> dict[str, Any]:
        # By the index of the bucket of gradients. The random numbers are drawn once, when the approximation begins.
        hook_state = self._hook_state
        return {"errors": hook_state.error_dict, "p": hook_state.p_memory_dict, "q": hook_state.q_memory_dict}

    def load(self, state: dict[str, Any], steps: int) -> None:
        hook_state = self._hook_state
        hook_state.error_dict, hook_state.p_memory_dict, hook_state.q_memory_dict = (
            {bucket: tensor.to(self._device) for bucket, tensor in state[name].items()} for name in ("errors", "p", "q"))
        hook_state.iter = steps


class LocalSgd(Sync):
    def __init__(self, model: nn.Module, optimizer: torch.optim.Optimizer, group: Group, clock: StepClock, every: int,
                 warmup: int) -> None:
        super().__init__(model, optimizer, group)
        self.bucket_bytes = None
        self._group, self._clock, self._every, self._warmup = group, clock, every, warmup
        self._hook_state = PostLocalSGDState(group.gradients, subgroup=None, start_localSGD_iter=warmup,
                                             post_local_gradient_allreduce=False)
        self._distributed.register_comm_hook(self._hook_state, post_localSGD_hook)

    def end_step(self, step: int, is_last: bool) -> int:
        payload = super().end_step(step, is_last)
        if step <= self._warmup:
            return payload
        if (step - self._warmup) % self._every and not is_last:
            return 0
        with self._clock.communicating():
            average_parameters(self._model.parameters(), self._group.gradients)
        return payload

    def load(self, state: dict[str, Any], steps: int) -> None:
        self._hook_state.iter = min(steps, self._warmup)


class DiLoCo(Sync):
    """Every rank trains alone; every so many steps the mean of their ways is a gradient for the outer optimizer.

    With an overlap the ranks train on while their ways are under way, and keep what they learn meanwhile: it is part of
    their next ways. The outer optimizer leads beyond where the ranks are; after the last step nothing would correct that,
    and they end at their mean.
    """

    def __init__(self, model: nn.Module, optimizer: torch.optim.Optimizer, group: Group, clock: StepClock,
                 args: SyncArguments) -> None:
        self.module, self._model, self._optimizer = model, model, optimizer
        self._every, self.overlap_steps = args.sync_every, args.sync_overlap
        start = parameters_to_vector(model.parameters()).detach()
        dist.broadcast(start, 0, group=group.gradients)
        vector_to_parameters(start, model.parameters())
        self._shared = nn.Parameter(start.clone())  # where all ranks last were together
        self._outer = torch.optim.SGD([self._shared], lr=args.outer_lr, momentum=args.outer_momentum,
                                      nesterov=args.outer_momentum > 0)
        self._averager = Averager(args.sync_precision, start, group, clock)
        self._under_way: tuple[Tensor, Callable[[], Tensor]] | None = None  # from where it was sent, and its mean

    @torch.no_grad()
    def end_step(self, step: int, is_last: bool) -> int:
        self._optimizer.step()
        if is_last or step % self._every == self.overlap_steps:
            self._receive()
        if step % self._every and not is_last:
            return 0
        here = parameters_to_vector(self._model.parameters())
        self._under_way = here, self._averager.average(self._shared - here)
        if is_last or self.overlap_steps == 0:
            self._receive(is_last)
        return self._averager.payload

    def _receive(self, is_last: bool = False) -> None:
        if self._under_way is None:
            return
        sent_from, mean = self._under_way
        self._under_way = None
        since = parameters_to_vector(self._model.parameters()) - sent_from
        if is_last:
            self._shared -= mean()
        else:
            self._shared.grad = mean()
            self._outer.step()
        vector_to_parameters(self._shared + since, self._model.parameters())

    def state(self) -> dict[str, Any]:
        under_way = []
        if self._under_way is not None:
            sent_from, wait = self._under_way
            mean = wait()
            self._under_way = sent_from, lambda: mean
            under_way = [sent_from, mean]
        return {"shared": self._shared.data, "outer": self._outer.state_dict()["state"], "error": self._averager.error,
                "under_way": under_way}

    def load(self, state: dict[str, Any], steps: int) -> None:
        self._shared.data.copy_(state["shared"])
        self._outer.load_state_dict({**self._outer.state_dict(), "state": state["outer"]})
        self._averager.error.copy_(state["error"])
        if state["under_way"]:
            sent_from, mean = (tensor.to(self._shared.device) for tensor in state["under_way"])
            self._under_way = sent_from, lambda: mean


class Averager:
    """Averages a vector over the ranks in the precision that is asked for; all ranks get the same bits.

    What rounding takes from a rank's vector is added to its next one. `payload` is what a rank hands to the group, in
    bytes.

    int8: the numbers of a block share a scale, the largest of all ranks, with 127 / n levels on each side of 0, so that
    the sum of n ranks fits a byte. On a ring each rank then sends 2 (n - 1) / n bytes a parameter, 1 for two ranks and
    less than 2 for any number. Gathering bytes with scales of their own would keep all 127 levels and send n - 1; sums of
    four bytes, the next wider that gloo knows, 8 (n - 1) / n.
    """

    BLOCK = 4096

    def __init__(self, precision: str, like: Tensor, group: Group, clock: StepClock) -> None:
        self.error = torch.zeros_like(like)
        self._clock = clock
        self._precision, self._group, self._count = precision, group.gradients, group.gradients.size()
        blocks = -(-like.numel() // self.BLOCK)
        self.payload = like.numel() * {"fp32": 4, "fp16": 2, "int8": 1}[precision] + 4 * blocks * (precision == "int8")

    def average(self, vector: Tensor) -> Callable[[], Tensor]:
        """Sends it off; what is returned waits for the mean."""
        if self._precision == "fp32":
            return self._sum(vector / self._count, lambda mean: mean)
        vector = vector + self.error
        if self._precision == "fp16":
            part = (vector / self._count).half()
            self.error = vector - part.float() * self._count
            return self._sum(part, lambda mean: mean.float())

        size, levels = vector.numel(), 127 // self._count
        blocks = nn.functional.pad(vector, (0, -size % self.BLOCK)).view(-1, self.BLOCK)
        scales = blocks.abs().amax(dim=1, keepdim=True)
        with self._clock.communicating():
            dist.all_reduce(scales, op=dist.ReduceOp.MAX, group=self._group)
        unit = scales.clamp(min=torch.finfo(torch.float32).tiny) / levels
        numbers = (blocks / unit).round().to(torch.int8)
        self.error = (blocks - numbers * unit).view(-1)[:size].contiguous()
        return self._sum(
            numbers.view(-1)[:size].contiguous(),
            lambda sums: (nn.functional.pad(sums, (0, -size % self.BLOCK)).view_as(blocks) * (unit / self._count)).view(-1)[:size])

    def _sum(self, parts: Tensor, decode: Callable[[Tensor], Tensor]) -> Callable[[], Tensor]:
        work = dist.all_reduce(parts, group=self._group, async_op=True)
        assert work is not None  # only of ranks outside the group

        def wait() -> Tensor:
            with self._clock.communicating():
                work.wait()
            return decode(parts)

        return wait


def make_sync(args: LinkArguments, model: nn.Module, optimizer: torch.optim.Optimizer, group: Group,
              clock: StepClock) -> Sync:
    """Of the mode that the flags name. Raises TrainingError if the group cannot do it."""
    # nccl averages one bucket after the other, and each fills both directions: small ones would only cost round trips.
    bucket_mib = args.bucket_mib if group.backend == "gloo" else None
    if args.sync in ("fp16", "bf16"):
        return SixteenBits(model, optimizer, group, args.sync, bucket_mib)
    if args.sync == "powersgd":
        return PowerSgd(model, optimizer, group, clock, args.powersgd_rank, args.sync_warmup)
    if args.sync == "local-sgd":
        return LocalSgd(model, optimizer, group, clock, args.sync_every, args.sync_warmup)
    if args.sync == "diloco":
        return DiLoCo(model, optimizer, group, clock, args)
    return Sync(model, optimizer, group, bucket_mib)
