"""Spectral losses, masked above the bandwidth of the clean recording; every denominator bounded."""

from __future__ import annotations

from functools import cache

import torch
from torch import Tensor

from ...core.frontend import FrontEnd, mel_centres_hz
from ..frontend import log_mel

RESOLUTIONS = ((512, 256), (2048, 512))
"""(n_fft, hop) of the waveform losses: one that sees time, one that sees pitch."""
LOG_FLOOR = 1e-7
SILENT = 1e-2
"""Mean absolute value of a wave below which its error is not taken as a share of it."""
LEVEL_FLOOR = -5.0
"""Log-mel level below which two bands are equally silent."""


def band_mask(bandwidth_hz: Tensor, bins: int, sample_rate_hz: int) -> Tensor:
    """(B, 1, bins): one below each clip's bandwidth, zero above."""
    frequency_hz = torch.linspace(0, sample_rate_hz / 2, bins)
    return (frequency_hz <= bandwidth_hz[:, None, None]).float()


@cache
def hearing_weights(bins: int, sample_rate_hz: int) -> Tensor:
    """(bins,) of mean one: half even, half falling as 1 / frequency above 1 kHz, as hearing."""
    frequency_hz = torch.linspace(0, sample_rate_hz / 2, bins)
    falling = 1 / (1 + frequency_hz / 1000)
    return 0.5 + 0.5 * falling / falling.mean()


def compressed_loss(predicted: Tensor, target: Tensor, mask: Tensor, front: FrontEnd) -> Tensor:
    """Squared error of compressed spectra (B, T, 2 * bins), of the vectors and of magnitudes."""
    weights = mask * hearing_weights(front.bins, front.sample_rate_hz)
    (real, imaginary), (true_real, true_imaginary) = predicted.chunk(2, -1), target.chunk(2, -1)
    difference = (real - true_real) ** 2 + (imaginary - true_imaginary) ** 2
    level = torch.sqrt(real**2 + imaginary**2 + 1e-6)
    true_level = torch.sqrt(true_real**2 + true_imaginary**2 + 1e-6)
    return _mean(0.5 * difference + (level - true_level) ** 2, weights)


def decoded_loss(predicted: Tensor, target: Tensor, mask: Tensor, front: FrontEnd) -> Tensor:
    """Squared error of compressed magnitudes (B, T, 2 * bins), and of phases at the true magnitude.

    Unlike a squared error of vectors, it does not reward silence where phase cannot be known, as
    in a band that the recording has lost.
    """
    weights = mask * hearing_weights(front.bins, front.sample_rate_hz)
    (real, imaginary), (true_real, true_imaginary) = predicted.chunk(2, -1), target.chunk(2, -1)
    level = torch.sqrt(real**2 + imaginary**2 + 1e-6)
    true_level = torch.sqrt(true_real**2 + true_imaginary**2 + 1e-6)
    along = (real * true_real + imaginary * true_imaginary) / level
    turned = true_level * (true_level - along)  # half the squared distance of the true vector
    return _mean((level - true_level) ** 2 + turned, weights)


def waveform_loss(predicted: Tensor, target: Tensor, bandwidth_hz: Tensor, rate_hz: int) -> Tensor:
    """Mean absolute log-magnitude error of waves (B, N) over `RESOLUTIONS`."""
    total = predicted.new_zeros(())
    for n_fft, hop in RESOLUTIONS:
        mask = band_mask(bandwidth_hz, n_fft // 2 + 1, rate_hz)
        error = _log_power(predicted, n_fft, hop) - _log_power(target, n_fft, hop)
        total = total + _mean(error.abs(), mask)
    return total / len(RESOLUTIONS)


def shape_loss(predicted: Tensor, target: Tensor) -> Tensor:
    """Mean absolute error of waves (B, N) as a share of the target's own, clip by clip.

    Magnitudes of the other losses are compressed; this one minds what is loud, and its phase.
    """
    own = target.abs().mean(1).clamp(min=SILENT)
    return ((predicted - target).abs().mean(1) / own).mean()


def level_loss(predicted: Tensor, target: Tensor, bandwidth_hz: Tensor, front: FrontEnd) -> Tensor:
    """Mean absolute log-mel error of compressed spectra (B, T, 2 * bins).

    Energies of a band add up before the logarithm, so that, unlike a squared error of compressed
    bins, being unsure does not pay off as being quiet.
    """
    centres_hz = torch.from_numpy(mel_centres_hz(front)).to(bandwidth_hz)
    error = log_mel(predicted, front).clamp(min=LEVEL_FLOOR) - log_mel(target, front).clamp(
        min=LEVEL_FLOOR
    )
    return _mean(error.abs(), (centres_hz <= bandwidth_hz[:, None, None]).float())


def _log_power(wave: Tensor, n_fft: int, hop: int) -> Tensor:
    window = torch.hann_window(n_fft, dtype=wave.dtype)
    spectrum = torch.stft(wave, n_fft, hop, window=window, center=False, return_complex=True)
    power = spectrum.real**2 + spectrum.imag**2
    return 0.5 * torch.log(power + LOG_FLOOR).transpose(1, 2)


def _mean(error: Tensor, weights: Tensor) -> Tensor:
    count = weights.expand_as(error).sum()
    return (error * weights).sum() / count.clamp(min=1.0)
