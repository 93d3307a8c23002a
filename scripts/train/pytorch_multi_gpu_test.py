#!/usr/bin/env python3
"""Trains a small CNN on handwritten digits on all GPUs of one node; without CUDA, on as many CPU workers.

    python pytorch_multi_gpu_test.py              # all GPUs that CUDA shows
    python pytorch_multi_gpu_test.py --gpus 2     # two of them; without CUDA two workers on the CPU

With CUDA one process feeds every GPU its part of each batch (DataParallel). Without it each worker is a process of its
own, and the gradients are averaged over gloo, as pytorch_mnist_dist.py does it across nodes.
The last line on stdout is `RESULT {json}`.
"""
import argparse
import json
import os
import re
import socket
import subprocess
import sys
import time

import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

from pytorch_mnist_dist import (
    TrainingError, build_model, data_beside_this_script, digest_of, load_digits, split
)


def parse_arguments():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--gpus", type=int, metavar="N", help="default: all that CUDA shows, or one CPU worker")
    parser.add_argument("--batch-size", type=int, default=64, help="samples a step on each GPU or worker")
    parser.add_argument("--epochs", type=int, default=10)
    parser.add_argument("--lr", type=float, default=0.01)
    parser.add_argument("--momentum", type=float, default=0.5)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--no-cuda", action="store_true", help="train on the CPU even if there is a GPU")
    parser.add_argument("--data", default=data_beside_this_script(), metavar="FILE",
                        help=".npz file with the arrays images and labels")
    args = parser.parse_args()
    for name in ("batch_size", "epochs"):
        if getattr(args, name) < 1:
            parser.error(f"--{name.replace('_', '-')} is {getattr(args, name)}; it must be 1 or more")
    if args.gpus is not None and args.gpus < 1:
        parser.error(f"--gpus is {args.gpus}; it must be 1 or more")
    return args


def train_on_gpus(args, count):
    images, labels = load_digits(args.data)
    training, held_out = split(len(labels), 1, args.seed)
    torch.manual_seed(args.seed)
    model = build_model().cuda()
    parallel = nn.DataParallel(model, device_ids=list(range(count)))
    optimizer = torch.optim.SGD(model.parameters(), lr=args.lr, momentum=args.momentum)
    loader = DataLoader(TensorDataset(images[training], labels[training]), args.batch_size * count, shuffle=True)
    started = time.perf_counter()
    for epoch in range(1, args.epochs + 1):
        total = 0.0
        for batch, targets in loader:
            optimizer.zero_grad()
            loss = nn.functional.cross_entropy(parallel(batch.cuda()), targets.cuda())
            loss.backward()
            optimizer.step()
            total += loss.item() * len(batch)
        print(f"epoch {epoch}/{args.epochs} loss {total / len(training):.4f}", flush=True)
    seconds = time.perf_counter() - started
    with torch.no_grad():
        right = (parallel(images[held_out].cuda()).argmax(dim=1).cpu() == labels[held_out]).sum().item()
    return {
        "epochs": args.epochs,
        "steps": args.epochs * len(loader),
        "finalLoss": total / len(training),
        "accuracy": right / len(held_out),
        "parametersSha256": digest_of(model).hexdigest(),
        "secondsPerStep": seconds / (args.epochs * len(loader)),
        "samplesSeen": args.epochs * len(training),
    }


def train_on_workers(args, count):
    """Each worker is pytorch_mnist_dist.py; they meet on this node's loopback."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    script = os.path.join(os.path.dirname(os.path.abspath(__file__)), "pytorch_mnist_dist.py")
    command = [sys.executable, script, "--master-addr", "127.0.0.1", "--master-port", str(port), "--no-cuda",
               "--world-size", str(count), "--data", args.data, "--batch-size", str(args.batch_size),
               "--epochs", str(args.epochs), "--lr", str(args.lr), "--momentum", str(args.momentum),
               "--seed", str(args.seed)]
    # What tells a rank of many nodes where to meet would mislead the workers of one.
    environment = {name: value for name, value in os.environ.items() if not re.search("_IFNAME$|^CHECKPOINT_", name)}
    workers = [subprocess.Popen([*command, "--rank", str(rank)], env=environment, text=True,
                                stdout=subprocess.PIPE if rank == 0 else subprocess.DEVNULL) for rank in range(count)]
    result = None
    try:
        for line in workers[0].stdout:
            if line.startswith("RESULT "):
                result = json.loads(line[len("RESULT "):])
            else:
                print(line, end="", flush=True)
        codes = [worker.wait() for worker in workers]
    finally:
        for worker in workers:
            worker.kill()
    if any(codes) or result is None:
        raise TrainingError(f"the {count} CPU workers ended with {codes}")
    return {**result, "samplesSeen": result["samplesSeen"] * count}


def main():
    args = parse_arguments()
    has_cuda = torch.cuda.is_available() and not args.no_cuda
    try:
        if has_cuda:
            there = torch.cuda.device_count()
            count = args.gpus or there
            if count > there:
                raise TrainingError(f"--gpus is {count}, this node has {there}")
            print(f"PyTorch {torch.__version__}, {count} GPUs of {there}", flush=True)
            result = train_on_gpus(args, count)
        else:
            count = args.gpus or 1
            print(f"PyTorch {torch.__version__}, no CUDA: {count} workers on the CPU in place of {count} GPUs", flush=True)
            result = train_on_workers(args, count)
    except TrainingError as error:
        raise SystemExit(f"error: {error}") from error
    print("RESULT " + json.dumps({**result, "gpus": count if has_cuda else 0}), flush=True)


if __name__ == "__main__":
    main()
