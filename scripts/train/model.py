"""The network that is trained: a small CNN for ten kinds of images in shades of grey."""
from __future__ import annotations

import contextlib
import ctypes
import hashlib
import os

import torch
from torch import Tensor, nn


def use_threads(count: int) -> None:
    """Sets how many CPU threads compute: PyTorch's, and those of OpenBLAS, which Debian's PyTorch is linked with and
    sets nothing of. More than there is work for spin after each product, which takes half of a processor.
    """
    torch.set_num_threads(count)
    with contextlib.suppress(OSError):  # another BLAS
        ctypes.CDLL("libopenblas.so.0", mode=os.RTLD_NOLOAD).openblas_set_num_threads(count)


def build_model(height: int = 8, width: int = 8) -> nn.Sequential:
    """Takes images of N x 1 x height x width and gives N x 10 scores; its first parameters follow from PyTorch's seed."""
    return nn.Sequential(
        nn.Conv2d(1, 16, kernel_size=3, padding=1), nn.ReLU(),
        nn.Conv2d(16, 32, kernel_size=3, padding=1), nn.ReLU(),
        nn.MaxPool2d(2), nn.Flatten(),
        nn.Linear(32 * (height // 2) * (width // 2), 64), nn.ReLU(),
        nn.Linear(64, 10),
    )


def model_for(images: Tensor) -> nn.Sequential:
    """The network for images of N x 1 x height x width."""
    return build_model(images.shape[2], images.shape[3])


def count_parameters(model: nn.Module) -> int:
    return sum(parameter.numel() for parameter in model.parameters())


def gradient_bytes(model: nn.Module) -> int:
    """How many bytes of gradients a step makes."""
    return sum(parameter.numel() * parameter.element_size() for parameter in model.parameters())


def parameters_sha256(model: nn.Module) -> str:
    """The SHA-256 of all parameters: equal if and only if they are the same bit for bit."""
    digest = hashlib.sha256()
    for parameter in model.parameters():
        digest.update(parameter.detach().cpu().contiguous().numpy().tobytes())
    return digest.hexdigest()


def mean_loss(scores: Tensor, targets: Tensor, reduction: str = "mean") -> Tensor:
    """Cross entropy in nats, over everything that is to be told: one class a sample, or several."""
    return nn.functional.cross_entropy(scores.flatten(0, -2), targets.flatten().long(), reduction=reduction)


@torch.no_grad()
def evaluate(model: nn.Module, inputs: Tensor, targets: Tensor, batch_size: int, device: torch.device) -> tuple[float, int]:
    """The loss of the samples, summed up, and how many of the targets the model gets right."""
    was_training = model.training
    model.eval()
    loss, right = 0.0, 0
    for batch, wanted in zip(inputs.split(batch_size), targets.split(batch_size)):
        scores, wanted = model(batch.to(device)), wanted.to(device)
        loss += mean_loss(scores, wanted, reduction="sum").item()
        right += int((scores.argmax(dim=-1) == wanted).sum().item())
    model.train(was_training)
    return loss, right
