"""Spectral losses, masked above the bandwidth of the clean recording; every denominator bounded."""

from __future__ import annotations

from functools import cache

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from ..families.hiresldm.frontend import FrontEnd, mel_centres_hz
from ..families.hiresldm.networks.torch_frontend import constant, hann, log_mel

RESOLUTIONS = ((512, 256), (2048, 512))
"""(n_fft, hop) of the waveform losses: one that sees time, one that sees pitch."""
LOG_FLOOR = 1e-4
"""Added to powers before a logarithm: what lies 50 dB below speech is equally silent."""
LOUD = 0.3
"""Share of a clip's largest compressed magnitude from which on a bin is loud: within 35 dB."""
SILENT = 1e-2
"""Mean absolute value of a wave below which its error is not taken as a share of it."""
LEVEL_FLOOR = -5.0
"""Log-mel level below which two bands are equally silent."""


def band_mask(bandwidth_hz: Tensor, bins: int, sample_rate_hz: int) -> Tensor:
    """(B, 1, bins): one below each clip's bandwidth, zero above."""
    frequency_hz = torch.linspace(0, sample_rate_hz / 2, bins, device=bandwidth_hz.device)
    return (frequency_hz <= bandwidth_hz[:, None, None]).float()


@cache
def hearing_weights(bins: int, sample_rate_hz: int, device: torch.device) -> Tensor:
    """(bins,) of mean one: half even, half falling as 1 / frequency above 1 kHz, as hearing."""
    frequency_hz = np.linspace(0, sample_rate_hz / 2, bins, dtype=np.float32)
    falling = 1 / (1 + frequency_hz / 1000)
    return constant(0.5 + 0.5 * falling / falling.mean(), device)


def compressed_loss(predicted: Tensor, target: Tensor, mask: Tensor, front: FrontEnd) -> Tensor:
    """Squared error of compressed spectra (B, T, 2 * bins), of the vectors and of magnitudes."""
    (real, imaginary), (true_real, true_imaginary) = predicted.chunk(2, -1), target.chunk(2, -1)
    difference = (real - true_real) ** 2 + (imaginary - true_imaginary) ** 2
    error = 0.5 * difference + (_magnitude(predicted) - _magnitude(target)) ** 2
    return _mean(error, _weighted(mask, front))


def decoded_loss(predicted: Tensor, target: Tensor, mask: Tensor, front: FrontEnd) -> Tensor:
    """Squared error of compressed magnitudes (B, T, 2 * bins).

    Unlike a squared error of vectors, it does not reward silence where phase cannot be known, as
    in a band that the recording has lost.
    """
    return _mean((_magnitude(predicted) - _magnitude(target)) ** 2, _weighted(mask, front))


def missing_loss(predicted: Tensor, target: Tensor, mask: Tensor, front: FrontEnd) -> Tensor:
    """Squared error of compressed magnitudes (B, T, 2 * bins) where loud speech was taken away.

    Weak bins do not count: were they minded, a mask that is not sure where harmonics lie would
    rather leave the noise between them.
    """
    true_level = _magnitude(target)
    loud = (true_level > LOUD * true_level.amax((1, 2), keepdim=True)).float()
    missing = F.relu(true_level - _magnitude(predicted)).square() * loud
    return _mean(missing, _weighted(mask, front))


def top_loss(predicted: Tensor, mask: Tensor) -> Tensor:
    """Mean power of compressed bins (B, T, 2 * bins) above the bandwidth: they shall be quiet."""
    return ((1 - mask) * _magnitude(predicted).square()).mean()


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
    centres_hz = _centres_hz(front, bandwidth_hz.device)
    error = log_mel(predicted, front).clamp(min=LEVEL_FLOOR) - log_mel(target, front).clamp(
        min=LEVEL_FLOOR
    )
    return _mean(error.abs(), (centres_hz <= bandwidth_hz[:, None, None]).float())


def _magnitude(spectrum: Tensor) -> Tensor:
    real, imaginary = spectrum.chunk(2, -1)
    return torch.sqrt(real * real + imaginary * imaginary + 1e-6)


def _weighted(mask: Tensor, front: FrontEnd) -> Tensor:
    return mask * hearing_weights(front.bins, front.sample_rate_hz, mask.device)


@cache
def _centres_hz(front: FrontEnd, device: torch.device) -> Tensor:
    return constant(mel_centres_hz(front), device)


def _log_power(wave: Tensor, n_fft: int, hop: int) -> Tensor:
    window = hann(n_fft, wave.device)
    spectrum = torch.stft(wave, n_fft, hop, window=window, center=False, return_complex=True)
    power = spectrum.real**2 + spectrum.imag**2
    return 0.5 * torch.log(power + LOG_FLOOR).transpose(1, 2)


def _mean(error: Tensor, weights: Tensor) -> Tensor:
    count = weights.expand_as(error).sum()
    return (error * weights).sum() / count.clamp(min=1.0)
