"""Losses as stages weigh them: of a recovered and a restored spectrum, of a discriminator."""

from __future__ import annotations

import torch
from torch import Tensor

from ..families.hiresldm.frontend import FrontEnd
from ..families.hiresldm.networks import torch_frontend as frontend
from . import losses
from .discriminator import Discriminator
from .loudness import loudness_loss

ADVERSARIAL_SHARE = 0.35
"""Size of what a discriminator and its features each add to the gradient, as a share of the rest
of it."""


def recovery_losses(
    recovered: Tensor, clean: Tensor, bandwidth_hz: Tensor, front: FrontEnd
) -> dict[str, Tensor]:
    """What a recovered spectrum (B, T, 2 * bins) lacks against clean waves (B, N).

    Squared errors ask for the mean of what may be, which is haze around speech; the absolute error
    of logarithms asks for the median, which is speech or silence.
    """
    spectrum, wave = frontend.stft(clean, front), frontend.istft(recovered, front)
    mask = losses.band_mask(bandwidth_hz, front.bins, front.sample_rate_hz)
    return {
        "spectrum": losses.compressed_loss(recovered, spectrum, mask, front),
        "missing": 0.8 * losses.missing_loss(recovered, spectrum, mask, front),
        "waveform": 0.3 * losses.waveform_loss(wave, clean, bandwidth_hz, front.sample_rate_hz),
        "level": 0.15 * losses.level_loss(recovered, spectrum, bandwidth_hz, front),
        "shape": 0.2 * losses.shape_loss(wave, clean),
        "loudness": 0.24 * loudness_loss(wave, clean, front.sample_rate_hz),
    }


def decoding_losses(
    restored: Tensor, clean: Tensor, bandwidth_hz: Tensor, front: FrontEnd
) -> dict[str, Tensor]:
    """What a restored spectrum (B, T, 2 * bins) lacks against clean waves (B, N)."""
    spectrum, wave = frontend.stft(clean, front), frontend.istft(restored, front)
    mask = losses.band_mask(bandwidth_hz, front.bins, front.sample_rate_hz)
    rate_hz = front.sample_rate_hz
    return {
        "spectrum": 4.0 * losses.decoded_loss(restored, spectrum, mask, front),
        "missing": 1.0 * losses.missing_loss(restored, spectrum, mask, front),
        "waveform": losses.waveform_loss(wave, clean, bandwidth_hz, rate_hz),
        "level": 0.2 * losses.level_loss(restored, spectrum, bandwidth_hz, front),
        "shape": 0.7 * losses.shape_loss(wave, clean),
        "loudness": 0.2 * loudness_loss(wave, clean, rate_hz),
        "top": 0.5 * losses.top_loss(restored, mask),
    }


def adversarial_losses(
    discriminator: Discriminator,
    restored: Tensor,
    objective: Tensor,
    clean: Tensor,
    bandwidth_hz: Tensor,
    front: FrontEnd,
    weight: float,
) -> tuple[dict[str, Tensor], Tensor]:
    """What a discriminator makes of a restored spectrum: losses to be looked at, and what to
    minimise.

    Its corrections are brought to `weight` times the gradient that `objective` has there, so that
    neither outgrows the other (as the adaptive weight of Esser 2021, VQGAN).
    """
    heard = slice(0, min(clean.shape[1], discriminator.samples))
    wave = frontend.istft(restored, front)[:, heard]
    own, fooled, features = discriminator.losses(clean[:, heard], wave, bandwidth_hz)

    def gradient(of: Tensor) -> Tensor:
        return torch.autograd.grad(of, restored, retain_graph=True)[0].detach()

    size = gradient(objective).norm()
    corrections = (gradient(fooled), gradient(features))
    scaled = (g * (size / (g.norm() + 1e-12)) for g in corrections)
    correction = weight * torch.stack(list(scaled)).sum(0)
    # Its gradient is the correction; its value tells nothing.
    towards = (restored * correction).sum()
    seen = {"discriminator": own, "fooled": fooled, "features": features}
    return seen, objective + own + (towards - towards.detach())
