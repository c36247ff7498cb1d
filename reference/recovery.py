"""Recovery: a gain and a turn for every bin of the spectrum, which take noise and echo away."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from .config import ModelConfig
from .layers import BandBlock, Blocks, Linear, magnitude


class Recovery(nn.Module):
    """Spectrum (B, T, 2 * bins) of damaged speech -> recovered spectrum of the same shape.

    A network that sees every frame as a whole makes a first mask, one with the same weights in
    every band a better one: what it learns of noise in one band it knows in all (Hao 2021,
    FullSubNet). The gain is a sigmoid: it saturates at one, so that speech that needs nothing
    passes unharmed (magnitudes are compressed, where an error of 1 % is one of 3 % in the wave).
    """

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        bins, dim = config.front.bins, config.recovery.dim
        self.phase_bins = config.recovery_phase_bins
        self.embed = Linear(bins + 2 * self.phase_bins, dim)
        self.blocks = Blocks(config.recovery)
        self.mask = Linear(dim, 2 * bins)
        self.bands = BandMask(config)
        # Training starts from "change nothing": a gain near one, no turn, weights nearly zero.
        nn.init.trunc_normal_(self.mask.weight, std=1e-3)
        nn.init.constant_(self.mask.bias[:bins], 3.0)

    def forward(self, spectrum: Tensor) -> Tensor:
        real, imaginary = spectrum.chunk(2, dim=-1)
        level, low = magnitude(spectrum), slice(None, self.phase_bins)
        seen = torch.cat([level, real[..., low], imaginary[..., low]], dim=-1)
        mask = self.mask(self.blocks(self.embed(seen)))
        first_gain = torch.sigmoid(mask.chunk(2, dim=-1)[0])
        mask = mask + self.bands(level, real, imaginary, first_gain)
        gain, tangent = mask.chunk(2, dim=-1)
        cosine = torch.sigmoid(gain) * torch.rsqrt(tangent * tangent + 1.0)
        sine = cosine * tangent
        turned = (real * cosine - imaginary * sine, real * sine + imaginary * cosine)
        return torch.cat(turned, dim=-1)


class BandMask(nn.Module):
    """Levels, real and imaginary parts and gains (B, T, bins) -> what to add to the mask.

    The lowest bin, which holds no speech, is in no band and left alone.
    """

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        stack, self.width = config.recovery_bands, config.recovery_band_bins
        self.embed = Linear(4 * self.width, stack.dim)
        self.places = nn.Parameter(torch.zeros(config.front.bins // self.width, stack.dim))
        self.blocks = nn.Sequential(*(BandBlock(stack, d) for d in stack.dilations))
        self.norm = nn.LayerNorm(stack.dim)
        self.head = Linear(stack.dim, 2 * self.width)
        nn.init.trunc_normal_(self.head.weight, std=1e-3)

    def forward(self, level: Tensor, real: Tensor, imaginary: Tensor, gain: Tensor) -> Tensor:
        batch, frames, _ = level.shape
        seen = (level, real, imaginary, gain * level)
        bands = [x[..., 1:].reshape(batch, frames, -1, self.width) for x in seen]
        x = self.embed(torch.cat(bands, dim=-1)) + self.places
        halves = self.head(self.norm(self.blocks(x))).chunk(2, dim=-1)
        gains, tangents = (half.reshape(batch, frames, -1) for half in halves)
        lowest = torch.zeros_like(level[..., :1])
        return torch.cat([lowest, gains, lowest, tangents], dim=-1)
