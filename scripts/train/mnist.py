#!/usr/bin/env python3
"""Trains a small CNN on handwritten digits on one machine, with a GPU if it has one.

    cd /home/ubuntu/test/pytorch
    python mnist.py
"""
import argparse
import json
import time

import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

from pytorch_mnist_dist import (
    TrainingError, build_model, data_beside_this_script, digest_of, load_digits, split
)


def parse_arguments():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--batch-size", type=int, default=64)
    parser.add_argument("--test-batch-size", type=int, default=1000)
    parser.add_argument("--epochs", type=int, default=10)
    parser.add_argument("--lr", type=float, default=0.01)
    parser.add_argument("--momentum", type=float, default=0.5)
    parser.add_argument("--no-cuda", action="store_true", help="train on the CPU even if there is a GPU")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--log-interval", type=int, default=10, help="steps between two lines, 0: epochs only")
    parser.add_argument("--data", default=data_beside_this_script(), metavar="FILE",
                        help=".npz file with the arrays images and labels")
    args = parser.parse_args()
    for name in ("batch_size", "test_batch_size", "epochs"):
        if getattr(args, name) < 1:
            parser.error(f"--{name.replace('_', '-')} is {getattr(args, name)}; it must be 1 or more")
    return args


def train_epoch(epoch, model, loader, optimizer, device, log_interval):
    """Returns the mean loss of the epoch's samples."""
    started, total = time.perf_counter(), 0.0
    for step, (images, labels) in enumerate(loader, start=1):
        optimizer.zero_grad()
        loss = nn.functional.cross_entropy(model(images.to(device)), labels.to(device))
        loss.backward()
        optimizer.step()
        total += loss.item() * len(images)
        if log_interval and step % log_interval == 0:
            seconds, started = time.perf_counter() - started, time.perf_counter()
            print(f"Train Epoch: {epoch} [{step}/{len(loader)}]\tLoss: {loss.item():.6f} "
                  f"{1000 * seconds / log_interval:.1f} ms a step", flush=True)
    return total / len(loader.dataset)


@torch.no_grad()
def test(model, loader, device):
    """Returns the share of samples that the model gets right."""
    model.eval()
    loss, right = 0.0, 0
    for images, labels in loader:
        output, labels = model(images.to(device)), labels.to(device)
        loss += nn.functional.cross_entropy(output, labels, reduction="sum").item()
        right += (output.argmax(dim=1) == labels).sum().item()
    model.train()
    count = len(loader.dataset)
    print(f"Test set: Average loss: {loss / count:.4f}, Accuracy: {right}/{count} ({right / count:.1%})", flush=True)
    return right / count


def main():
    args = parse_arguments()
    torch.manual_seed(args.seed)
    device = torch.device("cuda" if torch.cuda.is_available() and not args.no_cuda else "cpu")
    try:
        images, labels = load_digits(args.data)
        training, held_out = split(len(labels), 1, args.seed)
    except TrainingError as error:
        raise SystemExit(f"error: {error}") from error
    if device.type == "cpu":
        torch.set_num_threads(1)  # more cost more than they bring on images this small
    loader = DataLoader(TensorDataset(images[training], labels[training]), args.batch_size, shuffle=True)
    test_loader = DataLoader(TensorDataset(images[held_out], labels[held_out]), args.test_batch_size)
    model = build_model().to(device)
    optimizer = torch.optim.SGD(model.parameters(), lr=args.lr, momentum=args.momentum)
    started = time.perf_counter()
    for epoch in range(1, args.epochs + 1):
        final_loss = train_epoch(epoch, model, loader, optimizer, device, args.log_interval)
    seconds = time.perf_counter() - started
    print("RESULT " + json.dumps({
        "epochs": args.epochs,
        "finalLoss": final_loss,
        "accuracy": test(model, test_loader, device),
        "parametersSha256": digest_of(model).hexdigest(),
        "secondsPerStep": seconds / (args.epochs * len(loader)),
        "samplesSeen": args.epochs * len(loader.dataset),
    }), flush=True)


if __name__ == "__main__":
    main()
