"""Recovery: a gain and a turn for every bin of the spectrum, which take noise and echo away."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from .config import ModelConfig
from .layers import Blocks, Linear, magnitude


class Recovery(nn.Module):
    """Spectrum (B, T, 2 * bins) of damaged speech -> recovered spectrum of the same shape.

    The gain is a sigmoid: it saturates at one, so that speech that needs nothing passes unharmed
    (magnitudes are compressed, where an error of 1 % is one of 3 % in the wave).
    """

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        bins, dim = config.front.bins, config.recovery.dim
        self.phase_bins = config.recovery_phase_bins
        self.embed = Linear(bins + 2 * self.phase_bins, dim)
        self.blocks = Blocks(config.recovery)
        self.mask = Linear(dim, 2 * bins)
        # Training starts from "change nothing": a gain near one, no turn, weights nearly zero.
        nn.init.trunc_normal_(self.mask.weight, std=1e-3)
        nn.init.constant_(self.mask.bias[:bins], 3.0)

    def forward(self, spectrum: Tensor) -> Tensor:
        real, imaginary = spectrum.chunk(2, dim=-1)
        low = slice(None, self.phase_bins)
        seen = torch.cat([magnitude(spectrum), real[..., low], imaginary[..., low]], dim=-1)
        gain, tangent = self.mask(self.blocks(self.embed(seen))).chunk(2, dim=-1)
        cosine = torch.sigmoid(gain) * torch.rsqrt(tangent * tangent + 1.0)
        sine = cosine * tangent
        turned = (real * cosine - imaginary * sine, real * sine + imaginary * cosine)
        return torch.cat(turned, dim=-1)
