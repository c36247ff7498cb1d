"""Decoder: clean latent and recovered spectrum to the restored 48 kHz spectrum."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from ..config import ModelConfig
from .layers import Blocks, Linear, dead_zone, gain, magnitude, softplus, zone_width


class Decoder(nn.Module):
    """Latent (B, L, C) and recovered spectrum (B, stride * L, 2 * bins) -> restored spectrum.

    The magnitude is the recovered one times a gain of at most one plus a generated one; the phase
    is the recovered one: an angle added to it was measured to bring nothing.
    """

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        bins, dim, front = config.front.bins, config.decoder.dim, config.front
        self.stride, self.zone = front.stride, config.decoder_zone
        self.embed_latent = Linear(front.latent_channels, self.stride * dim)
        self.embed_recovered = Linear(bins, dim)
        self.blocks = Blocks(config.decoder)
        self.head = Linear(dim, 2 * bins)
        nn.init.trunc_normal_(self.head.weight, std=1e-2)
        # Training starts near "keep the recovered spectrum": a gain of .95, little generated.
        for part, start in enumerate((3.0, -4.0)):
            nn.init.constant_(self.head.bias[part * bins : (part + 1) * bins], start)

    def forward(self, latent: Tensor, recovered: Tensor) -> Tensor:
        batch, frames, _ = latent.shape
        level = magnitude(recovered)
        given = self.embed_latent(latent).reshape(batch, self.stride * frames, -1)
        x = given + self.embed_recovered(level)
        kept, generated = self.head(self.blocks(x)).chunk(2, dim=-1)
        # (gain * level + generated) along the recovered direction, which is recovered / level.
        # A silent bin (level at its floor of 3e-4) has no direction, and so stays silent.
        factor = gain(kept) + softplus(generated) / level.clamp(min=1e-3)
        factor = dead_zone(factor, zone_width(level, self.zone))
        return torch.cat([factor, factor], dim=-1) * recovered
