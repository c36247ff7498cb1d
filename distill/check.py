"""A quick look at a student: how its latents and its speech fare on validation clips."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from ..core.signal.metrics import lsd
from ..core.signal.sampler import ddim, timesteps
from ..families.hiresldm.model import Model
from ..families.hiresldm.networks import torch_frontend as frontend
from ..training.damage.chain import Chain
from ..training.stages import samples_of

CLIPS = 8
SECONDS = 3.0
HIGH_BAND_HZ = 8000.0
Example = tuple[Tensor, Tensor, float]
"""Clean and damaged wave, both (1, N), and the bandwidth in hertz."""


@dataclass(frozen=True)
class Check:
    """Means over clips; `latent_std` is 1 for clean latents, and smaller for averages of them."""

    steps: int
    latent_mse: float
    latent_std: float
    lsd: float
    lsd_hf: float

    def __str__(self) -> str:
        return (
            f"{self.steps:2} steps: latent error {self.latent_mse:.4f}, std {self.latent_std:.3f}, "
            f"LSD {self.lsd:.3f}, 8-24 kHz {self.lsd_hf:.3f}"
        )


def check(model: Model, chain: Chain, steps: Sequence[int], *, seed: int = 0) -> list[Check]:
    """Sample the same crops of a chain, each with its own noise, at every number of steps."""
    examples = _examples(chain, samples_of(SECONDS, model.config))
    model.eval()
    with torch.inference_mode():
        return [_check(model, examples, count, seed) for count in steps]


def _examples(chain: Chain, samples: int) -> list[Example]:
    batch = chain.batch(0, CLIPS, samples)
    waves = zip(batch.clean, batch.damaged, batch.bandwidth_hz, strict=True)
    return [(c[None].cpu(), d[None].cpu(), float(hz)) for c, d, hz in waves]


def _check(model: Model, examples: Iterable[Example], steps: int, seed: int) -> Check:
    rng = np.random.default_rng(seed)
    values = [_measured(model, example, steps, rng) for example in examples]
    return Check(steps, *(float(np.nanmean(column)) for column in zip(*values, strict=True)))


def _measured(
    model: Model, example: Example, steps: int, rng: np.random.Generator
) -> tuple[float, float, float, float]:
    clean, damaged, bandwidth_hz = example
    recovered = model.recovered(damaged)
    condition, target = model.latent(recovered), model.latent(model.spectrum(clean))

    def denoise(noisy: Tensor, t: float) -> Tensor:
        return torch.as_tensor(model.denoiser(noisy, condition, torch.full((1,), t)))

    noise = torch.from_numpy(rng.standard_normal(condition.shape, np.float32))
    latent = ddim(denoise, condition, noise, timesteps(steps, 1.0))
    wave = frontend.istft(model.decoded(latent, recovered), model.config.front)[0].numpy()
    true = clean[0].numpy()
    high = lsd(true, wave, low_hz=HIGH_BAND_HZ, bandwidth_hz=bandwidth_hz)
    whole = lsd(true, wave, bandwidth_hz=bandwidth_hz)
    return float(((latent - target) ** 2).mean()), float(latent.std()), whole, high
