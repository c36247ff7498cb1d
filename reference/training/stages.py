"""The stages: what each one trains, on which batches, with which loss."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Protocol, TypeVar

import torch
from torch import Tensor, nn

from ...core.frontend import FrontEnd
from ...core.sampler import ddim, timesteps
from .. import frontend
from ..config import ModelConfig
from ..decoder import Decoder
from ..denoiser import Denoiser
from ..encoder import Encoder
from ..model import load_part
from ..recovery import Recovery
from .cache import PairCache
from .critic import Critic
from .crops import FULL_BAND_HZ, LatentCrops, as_tensor, samples_of, tensors_of, times_of
from .losses import (
    band_mask,
    compressed_loss,
    decoded_loss,
    level_loss,
    shape_loss,
    waveform_loss,
)
from .loudness import loudness_loss
from .noises import Rng

CRITIC_SAMPLES = 24_000
ADVERSARIAL = frozenset({"critic", "fooled", "features"})
"""Losses that move with a critic, so that they tell nothing of how far a training has come."""
Losses = dict[str, Tensor]
M = TypeVar("M", bound=nn.Module)


class Stage(Protocol):
    """One thing to train: the module, and the losses of a random batch (their sum is minimised)."""

    config: ModelConfig
    parts: dict[str, nn.Module]
    """Parts to train and to save, by the name of their file."""
    helpers: dict[str, nn.Module]
    """Modules trained beside them that are of no use afterwards."""

    def losses(self, cache: PairCache, rng: Rng) -> Losses:
        """Named losses of a fresh batch, already weighted."""
        ...


class RecoveryStage:
    """Mask network: damaged spectrum to clean spectrum."""

    def __init__(self, config: ModelConfig, *, batch: int = 6, seconds: float = 2.0) -> None:
        self.config, self.batch, self.seconds = config, batch, seconds
        self.recovery = Recovery(config)
        self.parts: dict[str, nn.Module] = {"recovery": self.recovery}
        self.helpers: dict[str, nn.Module] = {}

    def losses(self, cache: PairCache, rng: Rng) -> Losses:
        front = self.config.front
        drawn = cache.draw(self.batch, samples_of(self.seconds, self.config), rng)
        clean, damaged, bandwidth_hz = tensors_of(drawn)
        recovered = self.recovery(frontend.stft(damaged, front)).float()
        spectrum, wave = frontend.stft(clean, front), frontend.istft(recovered, front)
        mask = band_mask(bandwidth_hz, front.bins, front.sample_rate_hz)
        return {
            "spectrum": compressed_loss(recovered, spectrum, mask, front),
            "level": 0.15 * level_loss(recovered, spectrum, bandwidth_hz, front),
            "shape": 0.2 * shape_loss(wave, clean),
            "loudness": 0.24 * loudness_loss(wave, clean, front.sample_rate_hz),
        }


class AutoencoderStage:
    """Encoder and decoder together: clean latent and recovered spectrum to clean speech.

    The latent is given noise, and now and then part of the recovered latent, so that the decoder
    forgives what a few-step sampler gets wrong.
    """

    def __init__(
        self, config: ModelConfig, recovery: Path, *, batch: int = 12, seconds: float = 1.6
    ) -> None:
        self.config, self.batch, self.seconds = config, batch, seconds
        self.recovery = frozen(Recovery(config), recovery)
        self.encoder, self.decoder = Encoder(config), Decoder(config)
        self.parts: dict[str, nn.Module] = {"encoder": self.encoder, "decoder": self.decoder}
        self.helpers: dict[str, nn.Module] = {}

    def losses(self, cache: PairCache, rng: Rng) -> Losses:
        front = self.config.front
        samples = samples_of(self.seconds, self.config)
        drawn = cache.draw(self.batch, samples, rng, least_hz=FULL_BAND_HZ)
        clean, damaged, bandwidth_hz = tensors_of(drawn)
        spectrum = frontend.stft(clean, front)
        with torch.no_grad():
            recovered = self.recovery(frontend.stft(damaged, front)).float()
        latent = self._disturbed(spectrum, recovered, rng)
        restored = self.decoder(latent, recovered).float()
        wave = frontend.istft(restored, front)
        return decoding_losses(restored, wave, spectrum, clean, bandwidth_hz, front)

    def _disturbed(self, spectrum: Tensor, recovered: Tensor, rng: Rng) -> Tensor:
        front = self.config.front
        latent: Tensor = self.encoder(frontend.log_mel(spectrum, front))
        with torch.no_grad():
            other = self.encoder(frontend.log_mel(recovered, front))
        shape = (len(latent), 1, 1)
        share = rng.uniform(size=shape) * (rng.uniform(size=shape) < 0.4)
        level = rng.uniform(0.0, 0.4, size=shape)
        mixed = latent + as_tensor(share) * (other - latent)
        disturbed: Tensor = mixed + as_tensor(level) * as_tensor(rng.standard_normal(latent.shape))
        return disturbed


class DecoderStage:
    """Decoder again, now on the latents that the trained denoiser draws in one or two steps.

    It learns which errors to expect there, and where the recovered spectrum is the better witness.
    """

    def __init__(
        self,
        config: ModelConfig,
        run: Path,
        *,
        batch: int = 12,
        seconds: float = 1.6,
        adversary: float = 1.0,
    ) -> None:
        self.config, self.batch, self.seconds = config, batch, seconds
        self.adversary = adversary
        self.recovery = frozen(Recovery(config), run / "recovery.safetensors")
        self.encoder = frozen(Encoder(config), run / "encoder.safetensors")
        self.denoiser = frozen(Denoiser(config), run / "denoiser.safetensors")
        self.decoder = Decoder(config)
        load_part(self.decoder, run / "decoder.safetensors")
        self.parts: dict[str, nn.Module] = {"decoder": self.decoder}
        self.critic = Critic(config.front.sample_rate_hz) if adversary else None
        self.helpers: dict[str, nn.Module] = {} if self.critic is None else {"critic": self.critic}

    def losses(self, cache: PairCache, rng: Rng) -> Losses:
        front = self.config.front
        samples = samples_of(self.seconds, self.config)
        drawn = cache.draw(self.batch, samples, rng, least_hz=FULL_BAND_HZ)
        clean, damaged, bandwidth_hz = tensors_of(drawn)
        with torch.no_grad():
            recovered = self.recovery(frontend.stft(damaged, front)).float()
            condition = self.encoder(frontend.log_mel(recovered, front)).float()
            latent = sampled(self.denoiser, condition, rng)
        restored = self.decoder(latent, recovered).float()
        spectrum = frontend.stft(clean, front)
        wave = frontend.istft(restored, front)
        losses = decoding_losses(restored, wave, spectrum, clean, bandwidth_hz, front)
        if self.critic is None:
            return losses
        return losses | adversarial_losses(self.critic, wave, clean, rng, self.adversary)


class DenoiserStage:
    """Diffusion model: x0-prediction of the clean latent from a noisy one and the recovered one."""

    def __init__(
        self,
        config: ModelConfig,
        recovery: Path,
        encoder: Path,
        *,
        batch: int = 16,
        seconds: float = 2.4,
    ) -> None:
        self.config = config
        self.denoiser = Denoiser(config)
        self.parts: dict[str, nn.Module] = {"denoiser": self.denoiser}
        self.helpers: dict[str, nn.Module] = {}
        self.crops = LatentCrops(
            config.front,
            frozen(Recovery(config), recovery),
            frozen(Encoder(config), encoder),
            batch,
            samples_of(seconds, config),
        )

    def losses(self, cache: PairCache, rng: Rng) -> Losses:
        clean, recovered, noise = self.crops.draw(cache, rng)
        time = times_of(rng.uniform(size=len(clean)), clean)
        angle = time[:, None, None] * (math.pi / 2)
        noisy = torch.cos(angle) * clean + torch.sin(angle) * noise
        predicted = self.denoiser(noisy, recovered, time).float()
        return {"latent": ((predicted - clean) ** 2).mean()}


def sampled(denoiser: nn.Module, condition: Tensor, rng: Rng) -> Tensor:
    """Latents as a few-step sampler draws them: from noise, in one step or two."""

    def denoise(noisy: Tensor, t: float) -> Tensor:
        time = torch.full((len(noisy),), t, device=noisy.device)
        return torch.as_tensor(denoiser(noisy, condition, time).float())

    noise = as_tensor(rng.standard_normal(condition.shape)).to(condition)
    latent: Tensor = ddim(denoise, condition, noise, timesteps(int(rng.integers(1, 3)), 1.0))
    return latent


def decoding_losses(
    restored: Tensor,
    wave: Tensor,
    spectrum: Tensor,
    clean: Tensor,
    bandwidth_hz: Tensor,
    front: FrontEnd,
) -> Losses:
    """What a restored spectrum (B, T, 2 * bins) and its wave (B, N) lack against the clean ones."""
    mask = band_mask(bandwidth_hz, front.bins, front.sample_rate_hz)
    return {
        "spectrum": 4.0 * decoded_loss(restored, spectrum, mask, front),
        "waveform": waveform_loss(wave, clean, bandwidth_hz, front.sample_rate_hz),
        "level": 0.2 * level_loss(restored, spectrum, bandwidth_hz, front),
        "shape": 0.5 * shape_loss(wave, clean),
        "loudness": 0.2 * loudness_loss(wave, clean, front.sample_rate_hz),
    }


def adversarial_losses(
    critic: Critic, restored: Tensor, clean: Tensor, rng: Rng, weight: float = 1.0
) -> Losses:
    """What a critic learns from waves (B, N) and what it corrects; it hears a part of half of them.

    The whole would cost more than the decoder does.
    """
    length = min(clean.shape[1], CRITIC_SAMPLES)
    start = int(rng.integers(clean.shape[1] - length + 1))
    count = -(-len(clean) // 2)
    heard, true = (wave[:count, start : start + length] for wave in (restored, clean))
    own, fooled, features = critic.losses(true, heard)
    return {"critic": own, "fooled": 0.05 * weight * fooled, "features": 0.3 * weight * features}


def frozen(module: M, weights: Path) -> M:
    """The module with the weights of a finished stage, not to be trained."""
    load_part(module, weights)
    module.requires_grad_(requires_grad=False)
    module.eval()
    return module
