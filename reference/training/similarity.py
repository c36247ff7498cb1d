"""A loss of structure: how much alike clean and restored speech look as patterns in hearing.

The measure is that of ViSQOL (Hines 2012, Chinen 2020): gammatone bands in decibels, and in every
small patch of them how well the two agree in level and vary together. It minds what a distance
does not, such as a restored consonant that is right on average and flat in time.
"""

from __future__ import annotations

from functools import cache

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

WINDOW_S, HOPS = 0.08, 4
"""Length of a frame, and how many hops it spans."""
BANDS, LOWEST_HZ = 32, 50.0
RANGE_DB = 90.0
"""What lies this far below the loudest band of a frame is not heard."""
FLOOR_DB = -90.0
"""Level that is silence; speech comes at model loudness."""
ACROSS = (0.1065, 0.787, 0.1065)
"""Weights of a patch's rows, and of its columns."""
LEVEL_CONSTANT, STRUCTURE_CONSTANT = 1.0, 2.0
"""In dB^2. ViSQOL's own are near zero, where a gradient would follow differences nobody hears."""


def similarity_loss(
    predicted: Tensor, target: Tensor, bandwidth_hz: Tensor, rate_hz: int
) -> Tensor:
    """One less the similarity of waves (B, N), over the bands below each clip's bandwidth."""
    levels, true = (_levels_db(wave, rate_hz) for wave in (predicted, target))
    peak = torch.maximum(levels.amax(-1, keepdim=True), true.amax(-1, keepdim=True)).detach()
    floor = (peak - RANGE_DB).clamp(min=FLOOR_DB)
    levels, true = torch.maximum(levels, floor) - FLOOR_DB, torch.maximum(true, floor) - FLOOR_DB
    mean, true_mean = _smooth(levels), _smooth(true)
    spread = (_smooth(levels**2) - mean**2).clamp(min=0)
    true_spread = (_smooth(true**2) - true_mean**2).clamp(min=0)
    common = _smooth(levels * true) - mean * true_mean
    level = (2 * mean * true_mean + LEVEL_CONSTANT) / (mean**2 + true_mean**2 + LEVEL_CONSTANT)
    # The root's gradient is infinite at 0, where a floor is all there is.
    product = torch.sqrt(spread * true_spread + 1e-6)
    structure = (common + STRUCTURE_CONSTANT) / (product + STRUCTURE_CONSTANT)
    centres_hz = torch.from_numpy(_centres_hz(rate_hz)).to(predicted)
    weights = (centres_hz[1:-1] <= bandwidth_hz[:, None, None]).expand_as(level).to(level)
    return 1 - (level * structure * weights).sum() / weights.sum().clamp(min=1)


def _levels_db(wave: Tensor, rate_hz: int) -> Tensor:
    """(B, T, BANDS) levels of gammatone bands."""
    n_fft = round(WINDOW_S * rate_hz)
    window = torch.hann_window(n_fft, dtype=wave.dtype, device=wave.device)
    spectrum = torch.stft(
        wave, n_fft, n_fft // HOPS, window=window, center=False, return_complex=True
    )
    power = (spectrum.real**2 + spectrum.imag**2).transpose(1, 2) / (window**2).sum() / n_fft
    return 10 * torch.log10(power @ _gammatones(n_fft, rate_hz).to(wave) + 1e-10)


def _smooth(levels: Tensor) -> Tensor:
    """Weighted means of patches of 3 by 3."""
    across = torch.tensor(ACROSS).to(levels)
    kernel = across[:, None] * across
    return F.conv2d(levels[:, None], kernel[None, None])[:, 0]


@cache
def _gammatones(n_fft: int, rate_hz: int) -> Tensor:
    """(bins, BANDS) power responses of fourth-order gammatone filters, both halves counted."""
    centres_hz = _centres_hz(rate_hz)
    widths_hz = 1.019 * 24.7 * (4.37e-3 * centres_hz + 1)
    frequency_hz = np.fft.rfftfreq(n_fft, 1 / rate_hz)[:, None]
    response = 2 * (1 + ((frequency_hz - centres_hz) / widths_hz) ** 2) ** -4.0
    return torch.from_numpy(response.astype(np.float32))


@cache
def _centres_hz(rate_hz: int) -> np.ndarray:
    """Band centres evenly spaced on the ERB scale (Glasberg 1990)."""
    low, high = (21.4 * np.log10(4.37e-3 * f + 1) for f in (LOWEST_HZ, rate_hz / 2))
    places = np.linspace(low, high, BANDS)
    return np.asarray((10 ** (places / 21.4) - 1) / 4.37e-3, np.float32)
