"""Crops of damaged speech on torch, and the latents of them on which diffusion models train."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from ...core.frontend import FrontEnd
from .. import frontend
from ..config import ModelConfig
from ..encoder import Encoder
from ..recovery import Recovery
from .cache import Batch, PairCache
from .noises import Rng

FULL_BAND_HZ = 16_000.0
"""Stages that generate the top of the spectrum learn only from clips that have one."""


@dataclass(frozen=True)
class LatentCrops:
    """Batches of clean and recovered latents from crops that are never twice the same.

    Stored latents would be cheaper, but a denoiser soon knows an hour of speech by heart.
    """

    front: FrontEnd
    recovery: Recovery
    encoder: Encoder
    size: int
    samples: int

    def draw(self, cache: PairCache, rng: Rng) -> tuple[Tensor, Tensor, Tensor]:
        """Clean latents, recovered latents and noise, each (size, frames, C), where the parts are.

        The networks run under the caller's autocast and get no gradient.
        """
        device = next(self.encoder.parameters()).device
        drawn = cache.draw(self.size, self.samples, rng, least_hz=FULL_BAND_HZ)
        clean, damaged, _ = (tensor.to(device) for tensor in tensors_of(drawn))
        with torch.no_grad():
            recovered = self.recovery(frontend.stft(damaged, self.front)).float()
            spectra = torch.cat([frontend.stft(clean, self.front), recovered])
            pair = self.encoder(frontend.log_mel(spectra, self.front)).float()
        target, condition = pair.chunk(2)
        return target, condition, as_tensor(rng.standard_normal(target.shape)).to(device)


def samples_of(seconds: float, config: ModelConfig) -> int:
    """Samples of a crop, a whole number of latent frames."""
    hop = config.front.latent_hop
    return round(seconds * config.front.sample_rate_hz / hop) * hop


def tensors_of(batch: Batch) -> tuple[Tensor, Tensor, Tensor]:
    """Clean, damaged and bandwidth of a batch on torch."""
    return as_tensor(batch.clean), as_tensor(batch.damaged), as_tensor(batch.bandwidth_hz)


def as_tensor(values: np.ndarray) -> Tensor:
    """A float32 tensor of the values."""
    return torch.from_numpy(np.asarray(values, np.float32))


def times_of(values: np.ndarray, batch: Tensor) -> Tensor:
    """Times (B,) drawn on NumPy, where the batch is."""
    return as_tensor(values).to(batch.device)
