"""The building blocks every network shares; tensors are (B, T, C)."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ..config import Stack, Zone
from .convolution import over_time, over_time_and_bands

LOUD = 2.0
"""Compressed magnitude at which a dead zone is half as much wider as it gets."""


class Linear(nn.Module):
    """Affine map (B, T, inputs) -> (B, T, outputs).

    The weight is kept as (inputs, outputs), the layout of an ONNX MatMul, so that exported graphs
    read the checkpoint file itself instead of carrying a transposed copy.
    """

    output_axis = 1
    """Of the weight: what a quantizer scales one by one."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.empty(inputs, outputs))
        self.bias = nn.Parameter(torch.zeros(outputs))
        nn.init.trunc_normal_(self.weight, std=inputs**-0.5)

    def forward(self, x: Tensor) -> Tensor:
        return torch.matmul(x, self.weight) + self.bias


class ConvNeXtBlock(nn.Module):
    """Depthwise convolution in time, then a two-layer perceptron per frame (Liu 2022).

    `modulation` (B, 1, 3 * dim), where given, is the shift, scale and gate of AdaLN (Peebles 2023).
    """

    def __init__(self, stack: Stack, dilation: int) -> None:
        super().__init__()
        dim, kernel = stack.dim, 7
        self.depthwise = nn.Conv1d(
            dim, dim, kernel, groups=dim, dilation=dilation, padding=dilation * (kernel // 2)
        )
        self.norm = nn.LayerNorm(dim)
        self.expand = Linear(dim, stack.hidden)
        self.contract = Linear(stack.hidden, dim)
        self.scale = nn.Parameter(torch.full((dim,), 1 / len(stack.dilations)))

    def forward(self, x: Tensor, modulation: Tensor | None = None) -> Tensor:
        y = self.norm(over_time(x, self.depthwise))
        gate: Tensor | float = 1.0
        if modulation is not None:
            shift, scale, gate = modulation.chunk(3, dim=-1)
            y = y * (1 + scale) + shift
            gate = 1 + gate
        added: Tensor = self.contract(F.gelu(self.expand(y))) * self.scale * gate
        return x + added


class BandBlock(nn.Module):
    """A ConvNeXt block on bands (B, T, K, C): its depthwise convolution spans time and bands."""

    def __init__(self, stack: Stack, dilation: int) -> None:
        super().__init__()
        # A long kernel rather than dilation, whose gradient is ten times slower on a CPU.
        dim, kernel, bands = stack.dim, 15, 3
        self.depthwise = nn.Conv2d(
            dim,
            dim,
            (kernel, bands),
            groups=dim,
            dilation=(dilation, 1),
            padding=(dilation * (kernel // 2), bands // 2),
        )
        self.norm = nn.LayerNorm(dim)
        self.expand = Linear(dim, stack.hidden)
        self.contract = Linear(stack.hidden, dim)
        self.scale = nn.Parameter(torch.full((dim,), 1 / len(stack.dilations)))

    def forward(self, x: Tensor) -> Tensor:
        y = self.norm(over_time_and_bands(x, self.depthwise))
        added: Tensor = self.contract(F.gelu(self.expand(y))) * self.scale
        return x + added


class Blocks(nn.Module):
    """ConvNeXt blocks one after another, (B, T, dim) -> (B, T, dim), normalised at the end."""

    def __init__(self, stack: Stack) -> None:
        super().__init__()
        self.blocks = nn.ModuleList(ConvNeXtBlock(stack, d) for d in stack.dilations)
        self.norm = nn.LayerNorm(stack.dim)

    def forward(self, x: Tensor) -> Tensor:
        for block in self.blocks:
            x = block(x)
        normalised: Tensor = self.norm(x)
        return normalised


def gain(raw: Tensor) -> Tensor:
    """Gains from 0 to 1 that reach 1, so that what needs nothing passes as it is."""
    return torch.clamp(1.05 * torch.sigmoid(raw), max=1.0)


def softplus(raw: Tensor) -> Tensor:
    """log(1 + exp(raw)), of operators that every engine computes many values at a time of.

    Of a small y, fp16 takes 1 + y for 1, and its logarithm for nothing; so log(1 + y) is summed up,
    as 2 artanh(y / (2 + y)), to 2e-6 of itself.
    """
    small = torch.exp(-torch.abs(raw))
    ratio = small / (2 + small)
    square = ratio * ratio
    series = 1 + square * (1 / 3 + square * (1 / 5 + square * (1 / 7 + square * (1 / 9))))
    return torch.relu(raw) + 2 * ratio * series


def dead_zone(factor: Tensor, width: Tensor | float) -> Tensor:
    """Factors within about `width` of one, drawn to one; what lies farther off stays as it is.

    Where a network asks for next to no change it is not sure of any: many small ones together
    are heard, and cost speech that needs nothing some decibels of SI-SDR.
    """
    away = factor - 1
    # Of large factors fp16 makes an infinite square, and so subtracts nothing. A number divided by
    # a tensor would be a reciprocal, to which Core ML adds 1e-4.
    zone = width * width  # of a power Core ML makes another operator
    drawn: Tensor = factor - (away * zone) / (away * away + zone)
    return drawn


def zone_width(level: Tensor, zone: Zone) -> Tensor:
    """Widths of a dead zone in bins of these compressed magnitudes.

    Most of SI-SDR lies in loud bins, most of what noise is heard in soft ones.
    """
    return zone.least + zone.more * (level / (level + LOUD))


def magnitude(spectrum: Tensor) -> Tensor:
    """Magnitudes (B, T, bins) of pairs (B, T, 2 * bins); the floor keeps the gradient finite."""
    real, imaginary = spectrum.chunk(2, dim=-1)
    # torch's ONNX exporter takes what is added for nothing up to 1e-8, and drops it.
    return torch.sqrt(real * real + imaginary * imaginary + 1e-7)
