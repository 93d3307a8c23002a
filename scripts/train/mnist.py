#!/usr/bin/env python3
"""Trains a small CNN on handwritten digits on one machine, with a GPU if it has one.

    cd /home/ubuntu/test/pytorch
    python mnist.py
"""
from __future__ import annotations

import argparse
import json
import time
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader, TensorDataset

from arguments import TrainingError, add_training_arguments, check_training_arguments, say
from data import ImageArguments, add_image_arguments, check_image_arguments, load_samples
from metrics import Metrics
from model import evaluate, mean_loss, model_for, parameters_sha256, use_threads


class Arguments(ImageArguments):
    test_batch_size: int


def parse_arguments() -> Arguments:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    add_training_arguments(parser, each="step")
    add_image_arguments(parser)
    parser.add_argument("--test-batch-size", type=int, default=1000)
    args = parser.parse_args(namespace=Arguments())
    check_training_arguments(parser, args, "test_batch_size")
    check_image_arguments(parser, args)
    return args


def train_epoch(epoch: int, model: nn.Module, loader: DataLoader[tuple[Tensor, ...]], optimizer: torch.optim.Optimizer,
                device: torch.device, log_interval: int, metrics: Metrics) -> float:
    """Returns the mean loss of the epoch's samples."""
    total, count = 0.0, 0
    started = since = time.perf_counter()
    for step, (images, labels) in enumerate(loader, start=1):
        optimizer.zero_grad()
        loss = mean_loss(model(images.to(device)), labels.to(device))
        loss.backward()
        optimizer.step()
        loss_value = loss.item()
        total, count = total + loss_value * len(images), count + len(images)
        now = time.perf_counter()
        metrics.step(epoch, (epoch - 1) * len(loader) + step, loss_value, now - started)
        started = now
        if log_interval and step % log_interval == 0:
            say(f"Train Epoch: {epoch} [{step}/{len(loader)}]\tLoss: {loss_value:.6f} "
                f"{1000 * (now - since) / log_interval:.1f} ms a step")
            since = now
    return total / count


def train(args: Arguments) -> dict[str, Any]:
    torch.manual_seed(args.seed)
    device = torch.device("cuda" if torch.cuda.is_available() and not args.no_cuda else "cpu")
    images, labels, training, held_out = load_samples(args)
    if device.type == "cpu":
        use_threads(1)  # more cost more than they bring on images this small
    loader = DataLoader(TensorDataset(images[training], labels[training]), args.batch_size, shuffle=True)
    test_images, test_labels = images[held_out], labels[held_out]
    model = model_for(images).to(device)
    optimizer = torch.optim.SGD(model.parameters(), lr=args.lr, momentum=args.momentum)
    metrics = Metrics(args.output, rank=0)
    metrics.start(model, world_size=1, backend="none", device=device, samples=len(training), epochs=args.epochs)
    final_loss = accuracy = total_seconds = 0.0
    for epoch in range(1, args.epochs + 1):
        started = time.perf_counter()
        final_loss = train_epoch(epoch, model, loader, optimizer, device, args.log_interval, metrics)
        seconds = time.perf_counter() - started
        total_seconds += seconds
        test_loss, right = evaluate(model, test_images, test_labels, args.test_batch_size, device)
        count = len(held_out)
        accuracy = right / count
        say(f"Test set: Average loss: {test_loss / count:.4f}, Accuracy: {right}/{count} ({accuracy:.1%})")
        metrics.epoch(epoch, epoch * len(loader), final_loss, accuracy, seconds)
    result = {
        "rank": 0,
        "worldSize": 1,
        "epochs": args.epochs,
        "finalLoss": final_loss,
        "accuracy": accuracy,
        "parametersSha256": parameters_sha256(model),
        "secondsPerStep": total_seconds / (args.epochs * len(loader)),
        "samplesSeen": args.epochs * len(training),
    }
    metrics.result(result)
    return result


def main() -> None:
    args = parse_arguments()
    try:
        result = train(args)
    except TrainingError as error:
        raise SystemExit(f"error: {error}") from error
    say("RESULT " + json.dumps(result))


if __name__ == "__main__":
    main()
