#!/usr/bin/env python3
"""Trains a small CNN on handwritten digits on all GPUs of one node; without CUDA, on as many CPU workers.

    python pytorch_multi_gpu_test.py              # all GPUs that CUDA shows
    python pytorch_multi_gpu_test.py --gpus 2     # two of them; without CUDA two workers on the CPU

With CUDA one process feeds every GPU its part of each batch (DataParallel). Without it each worker is a process of its
own, and the gradients are averaged over gloo, as pytorch_mnist_dist.py does it across nodes.
The last line on stdout is `RESULT {json}`.
"""
from __future__ import annotations

import argparse
import json
import os
import socket
import subprocess
import sys
import time
from typing import Any

import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

from arguments import TrainingError, add_training_arguments, check_training_arguments, say
from data import ImageArguments, add_image_arguments, check_image_arguments, load_samples
from metrics import Metrics
from model import evaluate, mean_loss, model_for, parameters_sha256


class Arguments(ImageArguments):
    gpus: int | None


def parse_arguments() -> Arguments:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--gpus", type=int, metavar="N", help="default: all that CUDA shows, or one CPU worker")
    add_training_arguments(parser, each="GPU or worker")
    add_image_arguments(parser)
    args = parser.parse_args(namespace=Arguments())
    check_training_arguments(parser, args)
    check_image_arguments(parser, args)
    if args.gpus is not None and args.gpus < 1:
        parser.error(f"--gpus is {args.gpus}; it must be 1 or more")
    return args


def train_on_gpus(args: Arguments, count: int) -> dict[str, Any]:
    images, labels, training, held_out = load_samples(args)
    torch.manual_seed(args.seed)
    device = torch.device("cuda")
    model = model_for(images).to(device)
    parallel = nn.DataParallel(model, device_ids=list(range(count)))
    optimizer = torch.optim.SGD(model.parameters(), lr=args.lr, momentum=args.momentum)
    loader = DataLoader(TensorDataset(images[training], labels[training]), args.batch_size * count, shuffle=True)
    test_images, test_labels = images[held_out], labels[held_out]
    metrics = Metrics(args.output, rank=0)
    metrics.start(model, world_size=1, backend="none", device=device, samples=len(training), epochs=args.epochs)
    steps, total_seconds, loss_of_epoch, accuracy = 0, 0.0, 0.0, 0.0
    for epoch in range(1, args.epochs + 1):
        total, epoch_seconds = 0.0, 0.0
        started = time.perf_counter()
        for batch, targets in loader:
            optimizer.zero_grad()
            loss = mean_loss(parallel(batch.to(device)), targets.to(device))
            loss.backward()
            optimizer.step()
            loss_value = loss.item()
            now = time.perf_counter()
            seconds, started = now - started, now
            steps, total, epoch_seconds = steps + 1, total + loss_value * len(batch), epoch_seconds + seconds
            metrics.step(epoch, steps, loss_value, seconds)
            if args.log_interval and steps % args.log_interval == 0:
                say(f"epoch {epoch}/{args.epochs} step {steps} loss {loss_value:.4f}")
        total_seconds += epoch_seconds
        loss_of_epoch = total / len(training)
        accuracy = evaluate(parallel, test_images, test_labels, 1000, device)[1] / len(held_out)
        say(f"epoch {epoch}/{args.epochs} loss {loss_of_epoch:.4f} accuracy {accuracy:.3f} {len(loader)} steps "
            f"{epoch_seconds / len(loader):.3f} s/step")
        metrics.epoch(epoch, steps, loss_of_epoch, accuracy, epoch_seconds)
    result = {
        "rank": 0,
        "worldSize": 1,
        "epochs": args.epochs,
        "steps": steps,
        "finalLoss": loss_of_epoch,
        "accuracy": accuracy,
        "parametersSha256": parameters_sha256(model),
        "secondsPerStep": total_seconds / steps,
        "samplesSeen": args.epochs * len(training),
        "gpus": count,
    }
    metrics.result(result)
    return result


def train_on_workers(args: Arguments, count: int) -> dict[str, Any]:
    """Each worker is pytorch_mnist_dist.py, with metrics of its own; they meet on this node's loopback."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    script = os.path.join(os.path.dirname(os.path.abspath(__file__)), "pytorch_mnist_dist.py")
    settings = {
        "--master-addr": "127.0.0.1", "--master-port": port, "--world-size": count, "--dataset": args.dataset,
        "--data-dir": args.data_dir, "--batch-size": args.batch_size, "--epochs": args.epochs, "--lr": args.lr,
        "--momentum": args.momentum, "--seed": args.seed, "--log-interval": args.log_interval,
        **({} if args.data is None else {"--data": args.data}),
    }
    command = [sys.executable, script, "--no-cuda", *(str(word) for setting in settings.items() for word in setting)]
    # What tells a rank of many nodes where to meet would mislead the workers of one.
    environment = {name: value for name, value in os.environ.items() if not name.endswith("_IFNAME")}

    def start(rank: int) -> subprocess.Popen[str]:
        output = ["--output", args.output] if args.output is not None and rank == 0 else []
        return subprocess.Popen([*command, "--rank", str(rank), *output], env=environment, text=True,
                                stdout=subprocess.PIPE if rank == 0 else subprocess.DEVNULL)

    workers: list[subprocess.Popen[str]] = []
    result: dict[str, Any] | None = None
    try:
        workers.extend(start(rank) for rank in range(count))
        for line in workers[0].stdout or ():
            if line.startswith("RESULT "):
                result = json.loads(line[len("RESULT "):])
            else:
                say(line.rstrip("\n"))
        codes = [worker.wait() for worker in workers]
    finally:
        for worker in workers:
            worker.kill()
            worker.wait()
    if any(codes) or result is None:
        raise TrainingError(f"the {count} CPU workers ended with the exit codes {codes}; what they said is above")
    return {**result, "samplesSeen": result["samplesSeen"] * count, "gpus": 0}


def main() -> None:
    args = parse_arguments()
    has_cuda = torch.cuda.is_available() and not args.no_cuda
    try:
        if has_cuda:
            there = torch.cuda.device_count()
            count = args.gpus or there
            if count > there:
                raise TrainingError(f"--gpus is {count}, this node has {there}; ask for {there} or fewer")
            say(f"PyTorch {torch.__version__}, {count} GPUs of {there}")
            result = train_on_gpus(args, count)
        else:
            count = args.gpus or 1
            say(f"PyTorch {torch.__version__}, no CUDA: {count} workers on the CPU in place of {count} GPUs")
            result = train_on_workers(args, count)
    except TrainingError as error:
        raise SystemExit(f"error: {error}") from error
    say("RESULT " + json.dumps(result))


if __name__ == "__main__":
    main()
