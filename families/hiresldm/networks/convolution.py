"""Depthwise convolutions (B, T, K, C) -> same shape; on a GPU as products with banded matrices.

There a convolution of every channel by itself leaves the matrix units idle.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn


def over_time(x: Tensor, convolution: nn.Conv1d) -> Tensor:
    """Convolve (B, T, C) along time."""
    if x.is_cuda:
        return multiplied(x[:, :, None], convolution)[:, :, 0]
    convolved: Tensor = convolution(x.transpose(1, 2))
    return convolved.transpose(1, 2)


def over_time_and_bands(x: Tensor, convolution: nn.Conv2d) -> Tensor:
    """Convolve (B, T, K, C) along time and bands."""
    if x.is_cuda:
        return multiplied(x, convolution)
    convolved: Tensor = convolution(x.permute(0, 3, 1, 2))
    return convolved.permute(0, 2, 3, 1)


def multiplied(x: Tensor, convolution: nn.Conv1d | nn.Conv2d) -> Tensor:
    """What a depthwise convolution makes of (B, T, K, C)."""
    batch, frames, bands, channels = x.shape
    taps = convolution.weight.reshape(channels, convolution.kernel_size[0], -1)
    by_channel = F.pad(x.permute(3, 1, 0, 2), (taps.shape[2] // 2,) * 2)
    total = torch.zeros((), device=x.device)
    for offset in range(taps.shape[2]):
        matrix = banded(taps[..., offset], frames, convolution.dilation[0])
        seen = by_channel[..., offset : offset + bands].reshape(channels, frames, -1)
        total = total + matrix @ seen
    made = total.reshape(channels, frames, batch, bands).permute(2, 1, 3, 0)
    return made if convolution.bias is None else made + convolution.bias


def banded(taps: Tensor, frames: int, dilation: int) -> Tensor:
    """(C, taps) -> (C, frames, frames): matrices that convolve in time, zeros around it."""
    channels, reach = len(taps), dilation * (taps.shape[1] // 2)
    spread = F.pad(taps[..., None], (0, dilation - 1)).flatten(1)[:, : 2 * reach + 1]
    # Rows that are one longer than they are read as: every next one begins one place later.
    length = frames + 2 * reach
    row = F.pad(spread, (0, length - 2 * reach))
    rows = row[:, None].expand(-1, frames, -1).flatten(1)[:, : frames * length]
    return rows.reshape(channels, frames, length)[:, :, reach : reach + frames]
