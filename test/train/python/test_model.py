"""The network's size follows from its images, its parameters from the seed."""
from __future__ import annotations

import ctypes
import math
import os

import pytest
import torch
from model import build_model, count_parameters, evaluate, gradient_bytes, model_for, parameters_sha256, use_threads


@pytest.mark.parametrize(["height", "width", "parameters"], [
    (8, 8, 160 + 4_640 + (32 * 4 * 4 * 64 + 64) + 650),
    (28, 28, 160 + 4_640 + (32 * 14 * 14 * 64 + 64) + 650),
    (9, 5, 160 + 4_640 + (32 * 4 * 2 * 64 + 64) + 650),
])
def test_takes_images_of_any_size(height: int, width: int, parameters: int) -> None:
    images = torch.zeros(3, 1, height, width)
    model = model_for(images)
    assert model(images).shape == (3, 10)
    assert count_parameters(model) == parameters
    assert gradient_bytes(model) == 4 * parameters


def test_of_digits_has_38282_parameters() -> None:
    assert count_parameters(build_model()) == 38_282


def test_the_digest_tells_one_bit() -> None:
    torch.manual_seed(1)
    one = build_model()
    torch.manual_seed(1)
    other = build_model()
    assert parameters_sha256(one) == parameters_sha256(other)
    with torch.no_grad():
        bias = other[-1].bias
        assert isinstance(bias, torch.Tensor)
        bias[0] = torch.nextafter(bias[0], torch.tensor(9.0))
    assert parameters_sha256(one) != parameters_sha256(other)


def test_right_answers_are_counted_batch_by_batch_and_the_mode_is_kept() -> None:
    model = torch.nn.Sequential(torch.nn.Dropout(), torch.nn.Identity())
    scores = torch.eye(10)[torch.tensor([0, 1, 2, 3, 4])]
    loss, right = evaluate(model, scores, torch.tensor([0, 1, 2, 9, 9]), batch_size=2, device=torch.device("cpu"))
    # Of ten scores one is 1 and the others are 0.
    assert loss == pytest.approx(3 * (math.log(math.e + 9) - 1) + 2 * math.log(math.e + 9), rel=1e-6)
    assert right == 3
    assert model.training


def test_samples_with_several_targets_each_are_tested_target_by_target() -> None:
    model, device = torch.nn.Identity(), torch.device("cpu")
    scores = torch.eye(3).reshape(1, 3, 3).repeat(2, 1, 1)
    loss, right = evaluate(model, scores, torch.tensor([[0, 1, 2], [0, 0, 0]]), batch_size=1, device=device)
    assert loss == pytest.approx(6 * math.log(math.e + 2) - 4, rel=1e-6)
    assert right == 4


@pytest.mark.parametrize("count", [2, 1])
def test_threads_are_set_for_pytorch_and_for_its_blas(count: int) -> None:
    blas = ctypes.CDLL("libopenblas.so.0", mode=os.RTLD_NOLOAD)
    use_threads(count)
    assert (torch.get_num_threads(), blas.openblas_get_num_threads()) == (count, count)
