"""Batches of latents and noise, where a student trains."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from ..reference.training.latents import LatentCache
from ..reference.training.noises import Rng
from ..reference.training.stages import as_tensor


@dataclass(frozen=True)
class LatentBatches:
    """Random crops of `frames` latent frames and noise of their shape, on a device."""

    latents: LatentCache
    size: int
    frames: int
    device: str

    def draw(self, rng: Rng) -> tuple[Tensor, Tensor, Tensor]:
        """Clean latents, recovered latents and noise, each (size, frames, C)."""
        clean, recovered = self.latents.draw(self.size, self.frames, rng)
        noise = as_tensor(rng.standard_normal(clean.shape))
        return clean.to(self.device), recovered.to(self.device), noise.to(self.device)


def times_of(values: object, batch: Tensor) -> Tensor:
    """Times (B,) drawn on NumPy, where the batch is."""
    return torch.as_tensor(values, dtype=torch.float32).to(batch.device)
