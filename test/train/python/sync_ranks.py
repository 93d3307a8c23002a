"""Ranks that test_sync.py starts: each trains, or averages, without a script."""
from __future__ import annotations

import os
from multiprocessing.synchronize import Event

import torch
import torch.distributed as dist
from group import Group
from metrics import StepClock
from sync import Averager, DiLoCo, LinkArguments, SyncArguments, make_sync


def joined(rank: int, count: int, port: int) -> Group:
    dist.init_process_group("gloo", init_method=f"tcp://127.0.0.1:{port}", rank=rank, world_size=count)
    return Group(torch.device("cpu"), "gloo", dist.group.WORLD)


def leave() -> None:
    dist.barrier()  # rank 0 holds the rendezvous
    os._exit(0)  # as the scripts end: to end gloo's threads may hang in PyTorch 2.4


def walk_on(rank: int, count: int, port: int, folder: str) -> None:
    """Every step of rank r goes r + 1 forward; saves where each has led."""
    group = joined(rank, count, port)
    model = torch.nn.Linear(1, 1, bias=False)
    torch.nn.init.zeros_(model.weight)
    model.weight.grad = torch.full_like(model.weight, -1 - rank)
    args = SyncArguments(sync_every=5, sync_overlap=2, sync_precision="fp32", outer_lr=0.5, outer_momentum=0.0)
    diloco = DiLoCo(model, torch.optim.SGD(model.parameters(), lr=1), group, StepClock(model, group.device), args)
    places = []
    for step in range(1, 14):
        diloco.end_step(step, is_last=step == 13)
        places.append(model.weight.item())
    torch.save(torch.tensor(places), f"{folder}/{rank}.pt")
    leave()


def train_ahead(rank: int, count: int, port: int, mode: str, is_ahead: Event) -> None:
    """Rank 1 begins its second round once rank 0 has all but ended it."""
    group = joined(rank, count, port)
    model = torch.nn.Linear(1, 1)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    args = LinkArguments(sync=mode, sync_every=4, sync_warmup=0, sync_overlap=0, sync_precision="fp32", outer_lr=0.5,
                         outer_momentum=0.0, bucket_mib=None)
    sync = make_sync(args, model, optimizer, group, StepClock(model, group.device))
    for step in range(1, 9):
        if (rank, step) == (1, 5):
            assert is_ahead.wait(60), "rank 0 waits for rank 1 in a step without averaging"
        sync.module(torch.ones(1, 1)).sum().backward()
        sync.end_step(step, is_last=step == 8)
        if (rank, step) == (0, 7):
            is_ahead.set()
    leave()


def average_on(rank: int, count: int, port: int, seed: int, precision: str, folder: str) -> None:
    """Averages vectors of this rank's own again and again, and saves what came out."""
    group = joined(rank, count, port)
    clock = StepClock(torch.nn.Linear(1, 1), group.device)
    numbers = torch.Generator().manual_seed(seed + rank)
    # More than two blocks, of sizes that differ much; one block is zero everywhere.
    size = 2 * Averager.BLOCK + 5
    vectors = [torch.randn(size, generator=numbers) * torch.logspace(-4, 1, size) for _ in range(20)]
    for vector in vectors:
        vector[Averager.BLOCK:2 * Averager.BLOCK] = 0
    averager = Averager(precision, vectors[0], group, clock)
    means = [averager.average(vector)() for vector in vectors]
    torch.save({"vectors": vectors, "means": means}, f"{folder}/{rank}.pt")
    leave()
