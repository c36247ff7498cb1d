"""Depthwise convolutions as products with banded matrices, which is how a GPU trains them."""

import pytest
import torch
from torch import nn

from hiresldm.families.hiresldm.networks.convolution import (
    multiplied,
    over_time,
    over_time_and_bands,
)


@pytest.mark.parametrize(("frames", "dilation"), [(20, 1), (20, 4), (11, 8), (1, 2)])
def test_a_product_is_the_convolution_and_has_its_gradients(frames: int, dilation: int):
    torch.manual_seed(0)
    conv = nn.Conv1d(6, 6, 7, groups=6, dilation=dilation, padding=3 * dilation)
    x = torch.randn(2, frames, 6, requires_grad=True)
    made = multiplied(x[:, :, None], conv)[:, :, 0]
    assert torch.allclose(made, over_time(x, conv), atol=1e-5)
    wanted = [x, conv.weight, conv.bias]
    pairs = zip(
        torch.autograd.grad(made.square().sum(), wanted),
        torch.autograd.grad(over_time(x, conv).square().sum(), wanted),
        strict=True,
    )
    assert all(torch.allclose(a, b, atol=1e-4) for a, b in pairs)


def test_a_product_spans_bands_too():
    torch.manual_seed(0)
    conv = nn.Conv2d(4, 4, (15, 3), groups=4, padding=(7, 1))
    x = torch.randn(2, 30, 5, 4)
    assert torch.allclose(multiplied(x, conv), over_time_and_bands(x, conv), atol=1e-5)
