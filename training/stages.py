"""The stages: what each one trains, on which inputs, towards which objective.

What is random is drawn beforehand, with the inputs: a step itself is a pure function of tensors,
which a CUDA graph can hold.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import torch
from torch import Tensor, nn

from ..families.hiresldm.config import ModelConfig
from ..families.hiresldm.model import Model
from .damage.chain import Batch, Chain
from .damage.draws import Draw
from .objectives import decoding_losses, recovery_losses

FULL_BAND_HZ = 15_000.0
"""Stages that generate the top of the spectrum learn only from clips that have one."""
Losses = dict[str, Tensor]
Inputs = tuple[Tensor, ...]


@dataclass(frozen=True)
class Outcome:
    """What came of a batch: losses to be looked at, and what is to be minimised."""

    losses: Losses
    objective: Tensor

    @classmethod
    def of(cls, losses: Losses) -> Outcome:
        """Losses whose sum is minimised."""
        return cls(losses, torch.stack([value.float() for value in losses.values()]).sum())


class Stage(Protocol):
    """One thing to train."""

    config: ModelConfig
    components: Mapping[str, nn.Module]
    """Components to train and to save, by the name of their file."""
    helpers: Mapping[str, nn.Module]
    """Modules trained beside them that are of no use afterwards."""
    batch: int
    seconds: float

    def inputs(self, chain: Chain, step: int) -> Inputs:
        """What a step computes from, drawn by its number: (B, ...) on the chain's device."""
        ...

    def outcome(self, *inputs: Tensor) -> Outcome:
        """The losses of these inputs, already weighted."""
        ...


def samples_of(seconds: float, config: ModelConfig) -> int:
    """Samples of a crop, a whole number of latent frames."""
    hop = config.front.latent_hop
    return round(seconds * config.front.sample_rate_hz / hop) * hop


def crops_of(stage: Stage, chain: Chain, step: int, *, least_hz: float) -> Batch:
    """The crops of a stage's step."""
    samples = samples_of(stage.seconds, stage.config)
    return chain.batch(step, stage.batch, samples, least_hz=least_hz)


def trained(model: Model, *names: str) -> dict[str, nn.Module]:
    """Components of a model that are to be trained; all others of it are frozen."""
    for name, component in model.named_children():
        component.requires_grad_(requires_grad=name in names)
    return {name: model.get_submodule(name) for name in names}


class RecoveryStage:
    """Mask network: damaged spectrum to clean spectrum."""

    def __init__(self, model: Model, *, batch: int, seconds: float = 2.0) -> None:
        self.config, self.batch, self.seconds = model.config, batch, seconds
        self.model = model
        self.components: Mapping[str, nn.Module] = trained(model, "recovery")
        self.helpers: Mapping[str, nn.Module] = {}

    def inputs(self, chain: Chain, step: int) -> Inputs:
        batch = crops_of(self, chain, step, least_hz=0.0)
        return batch.clean, batch.damaged, batch.bandwidth_hz

    def outcome(self, *inputs: Tensor) -> Outcome:
        clean, damaged, bandwidth_hz = inputs
        recovered = self.model.recovered(damaged)
        return Outcome.of(recovery_losses(recovered, clean, bandwidth_hz, self.config.front))


class AutoencoderStage:
    """Encoder and decoder together: clean latent and recovered spectrum to clean speech.

    The latent is given noise, and now and then part of the recovered latent, so that the decoder
    forgives what a few-step sampler gets wrong.
    """

    def __init__(self, model: Model, *, batch: int, seconds: float = 1.6) -> None:
        self.config, self.batch, self.seconds = model.config, batch, seconds
        self.model = model
        self.components: Mapping[str, nn.Module] = trained(model, "encoder", "decoder")
        self.helpers: Mapping[str, nn.Module] = {}

    def inputs(self, chain: Chain, step: int) -> Inputs:
        batch = crops_of(self, chain, step, least_hz=FULL_BAND_HZ)
        draw = chain.draw(step)
        noise = latent_noise(self, draw)
        share = draw.uniform(self.batch) * draw.coin(self.batch, 0.4)
        disturbed = 0.4 * draw.uniform(self.batch)[..., None] * noise
        return batch.clean, batch.damaged, batch.bandwidth_hz, share[..., None], disturbed

    def outcome(self, *inputs: Tensor) -> Outcome:
        clean, damaged, bandwidth_hz, share, disturbed = inputs
        with torch.no_grad():
            recovered = self.model.recovered(damaged)
            other = self.model.latent(recovered)
        latent = self.model.latent(self.model.spectrum(clean))
        latent = latent + share * (other - latent) + disturbed
        restored = self.model.decoded(latent, recovered)
        return Outcome.of(decoding_losses(restored, clean, bandwidth_hz, self.config.front))


class DenoiserStage:
    """Diffusion model: x0-prediction of the clean latent from a noisy one and the recovered one."""

    def __init__(self, model: Model, *, batch: int, seconds: float = 2.4) -> None:
        self.config, self.batch, self.seconds = model.config, batch, seconds
        self.model = model
        self.components: Mapping[str, nn.Module] = trained(model, "denoiser")
        self.helpers: Mapping[str, nn.Module] = {}

    def inputs(self, chain: Chain, step: int) -> Inputs:
        draw = chain.draw(step)
        time = draw.uniform(self.batch)[:, 0]
        return *latent_inputs(self, chain, step), time

    def outcome(self, *inputs: Tensor) -> Outcome:
        clean, damaged, noise, time = inputs
        target, condition = latents_of(self.model, clean, damaged)
        angle = time[:, None, None] * (math.pi / 2)
        noisy = torch.cos(angle) * target + torch.sin(angle) * noise
        predicted = self.model.denoiser(noisy, condition, time).float()
        return Outcome.of({"latent": ((predicted - target) ** 2).mean()})


def latent_noise(stage: Stage, draw: Draw) -> Tensor:
    """Noise (B, frames, C) of the latents of a stage's crops."""
    front = stage.config.front
    frames = samples_of(stage.seconds, stage.config) // front.latent_hop
    return draw.normal(stage.batch, frames, front.latent_channels)


def latent_inputs(stage: Stage, chain: Chain, step: int) -> Inputs:
    """Clean and damaged crops (B, N), and noise for their latents."""
    batch = crops_of(stage, chain, step, least_hz=FULL_BAND_HZ)
    return batch.clean, batch.damaged, latent_noise(stage, chain.draw(step, 1))


def times_of(chain: Chain, *times: np.ndarray) -> tuple[Tensor, ...]:
    """Times (B,) where the chain is."""
    return tuple(torch.from_numpy(one).float().to(chain.sounds.device) for one in times)


@torch.no_grad()
def latents_of(model: Model, clean: Tensor, damaged: Tensor) -> tuple[Tensor, Tensor]:
    """Clean and recovered latents (B, frames, C) of waves (B, N), without gradient.

    Stored latents would be cheaper, but a denoiser soon knows an hour of speech by heart.
    """
    spectra = torch.cat([model.spectrum(clean), model.recovered(damaged)])
    target, condition = model.latent(spectra).chunk(2)
    return target, condition
