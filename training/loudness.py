"""A loss in units of hearing: how much louder or softer every band is than it should be.

The psychoacoustic model is that of PESQ (ITU-T P.862: Bark bands, Zwicker's loudness, a dead zone,
and added sound weighing more than missing sound), without its alignments: here time is aligned
already, and level and colour are to be right.
"""

from __future__ import annotations

from functools import cache

import numpy as np
import torch
from torch import Tensor

from ..families.hiresldm.networks.torch_frontend import constant, hann

N_FFT_S, TOP_HZ = 0.032, 8000.0
BANDS = 49
SPEECH_DB = 79.0
"""Level at which the target is heard, in dB SPL."""
STEEPNESS = 0.23
"""Exponent of Zwicker's law."""
SILENT = 1e-6
"""Mean power of a target that is not brought up to `SPEECH_DB` any further."""
SYMMETRIC, ADDED = 0.1, 0.0309
"""Weights of P.862 for all errors, and for those of sound that is added."""
WORST = 45.0
"""What a frame's disturbance saturates at."""


def loudness_loss(predicted: Tensor, target: Tensor, rate_hz: int) -> Tensor:
    """Mean distance of waves (B, N) in the units that PESQ takes off its score."""
    power, true = (_bark_power(wave, rate_hz) for wave in (predicted, target))
    level = true.sum(-1).mean(1).clamp(min=SILENT)[:, None, None]
    power, true = (10 ** (SPEECH_DB / 10) * x / level for x in (power, true))
    loud, true_loud = _loudness(power), _loudness(true)
    difference = (loud - true_loud).abs() - 0.25 * torch.minimum(loud, true_loud)
    disturbance = difference.clamp(min=0)
    with torch.no_grad():
        added = ((power + 50) / (true + 50)) ** 1.2
        added = torch.where(added < 3, 0, added.clamp(max=12))
    symmetric = torch.sqrt((disturbance**2).sum(-1) + 1e-4)
    frames = (SYMMETRIC * _bounded(symmetric), ADDED * _bounded((disturbance * added).sum(-1)))
    return torch.stack(frames).sum(0).mean()


def _bounded(disturbance: Tensor) -> Tensor:
    return disturbance / (1 + disturbance / WORST)


def _bark_power(wave: Tensor, rate_hz: int) -> Tensor:
    n_fft = round(N_FFT_S * rate_hz)
    window = hann(n_fft, wave.device)
    spectrum = torch.stft(wave, n_fft, n_fft // 2, window=window, center=False, return_complex=True)
    weights = _bark_weights(n_fft, rate_hz, wave.device)
    power = spectrum[:, : len(weights)].abs().square().transpose(1, 2)  # (B, T, bins)
    return power @ weights


@cache
def _bark_weights(n_fft: int, rate_hz: int, device: torch.device) -> Tensor:
    """(bins, BANDS): each bin's share in the two bands that it lies between."""
    frequency_hz = np.arange(round(TOP_HZ / rate_hz * n_fft)) * rate_hz / n_fft
    places = _bark(frequency_hz) / _bark(np.asarray(TOP_HZ)) * (BANDS - 1)
    shares = np.maximum(0, 1 - np.abs(places[:, None] - np.arange(BANDS)))
    return constant(shares.astype(np.float32), device)


def _loudness(power: Tensor) -> Tensor:
    threshold = _threshold(power.device)
    ratio = 0.5 + 0.5 * power / threshold
    return ((threshold / 0.5) ** STEEPNESS * (ratio**STEEPNESS - 1)).clamp(min=0)


@cache
def _threshold(device: torch.device) -> Tensor:
    """(BANDS,): power of what is just heard in each band (Terhardt 1979)."""
    places = np.arange(BANDS) / (BANDS - 1) * _bark(np.asarray(TOP_HZ))
    khz = np.maximum(0.6 * np.sinh(places / 6), 0.05)
    level_db = 3.64 * khz**-0.8 - 6.5 * np.exp(-0.6 * (khz - 3.3) ** 2) + 1e-3 * khz**4
    return constant((10 ** (level_db / 10)).astype(np.float32), device)


def _bark(frequency_hz: np.ndarray) -> np.ndarray:
    """Critical-band rate (Schroeder 1979)."""
    return np.asarray(6 * np.arcsinh(frequency_hz / 600))
