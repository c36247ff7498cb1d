"""Recovery: a gain for every bin, which takes noise and echo away."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from ..config import Bands, ModelConfig
from .layers import BandBlock, Blocks, Linear, dead_zone, gain, magnitude, zone_width


class Recovery(nn.Module):
    """Spectrum (B, T, 2 * bins) of damaged speech -> recovered spectrum of the same shape.

    A network that sees every frame as a whole makes a first mask, one with the same weights in
    every band a better one: what it learns of noise in one band it knows in all (Hao 2021,
    FullSubNet). Speech that needs nothing passes unharmed: the gain reaches one (magnitudes are
    compressed, where an error of 1 % is one of 3 % in the wave). Phases stay as they were heard:
    what a low-pass did to them is inaudible, and guesses at it cost decibels of SI-SDR.
    """

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        self.bins, dim = config.front.bins, config.recovery.dim
        self.phase_bins, self.zone = config.recovery_phase_bins, config.recovery_zone
        self.embed = Linear(self.bins + 2 * self.phase_bins, dim)
        self.blocks = Blocks(config.recovery)
        self.mask = Linear(dim, self.bins)
        self.bands = BandMask(config)
        # Training starts from "change nothing": a gain near one, weights nearly zero.
        nn.init.trunc_normal_(self.mask.weight, std=1e-3)
        nn.init.constant_(self.mask.bias, 3.0)

    def forward(self, spectrum: Tensor) -> Tensor:
        real, imaginary = spectrum.chunk(2, dim=-1)
        level, low = magnitude(spectrum), slice(None, self.phase_bins)
        seen = torch.cat([level, real[..., low], imaginary[..., low]], dim=-1)
        mask = self.mask(self.blocks(self.embed(seen)))
        mask = mask + self.bands(level, real, imaginary, torch.sigmoid(mask))
        kept = dead_zone(gain(mask), zone_width(level, self.zone))
        return torch.cat([kept, kept], dim=-1) * spectrum


class BandMask(nn.Module):
    """Levels, real and imaginary parts and gains (B, T, bins) -> what to add to the mask, likewise.

    The lowest bin, which holds no speech, is in no band and left alone.
    """

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        self.low, self.high = config.recovery_low, config.recovery_high
        stack = config.recovery_bands
        self.embed_low = Linear(4 * self.low.bins, stack.dim)
        self.embed_high = Linear(2 * self.high.bins, stack.dim)
        self.places = nn.Parameter(torch.zeros(self.low.count + self.high.count, stack.dim))
        self.blocks = nn.Sequential(*(BandBlock(stack, d) for d in stack.dilations))
        self.norm = nn.LayerNorm(stack.dim)
        self.head_low = Linear(stack.dim, self.low.bins)
        self.head_high = Linear(stack.dim, self.high.bins)
        for head in (self.head_low, self.head_high):
            nn.init.trunc_normal_(head.weight, std=1e-3)

    def forward(self, level: Tensor, real: Tensor, imaginary: Tensor, first: Tensor) -> Tensor:
        seen, above = first * level, 1 + self.low.span
        low = [x[..., 1:above] for x in (level, real, imaginary, seen)]
        high = [x[..., above:] for x in (level, seen)]
        embedded = (
            self.embed_low(_divided(low, self.low)),
            self.embed_high(_divided(high, self.high)),
        )
        x = self.norm(self.blocks(torch.cat(embedded, dim=2) + self.places))
        x_low, x_high = x.split([self.low.count, self.high.count], dim=2)
        lowest = torch.zeros_like(level[..., :1])
        added = (part.flatten(2) for part in (self.head_low(x_low), self.head_high(x_high)))
        return torch.cat([lowest, *added], dim=-1)


def _divided(seen: Sequence[Tensor], bands: Bands) -> Tensor:
    """Tensors (B, T, bins of all bands) side by side in every band: (B, T, bands, values)."""
    return torch.cat([torch.unflatten(x, -1, (bands.count, bands.bins)) for x in seen], dim=-1)
