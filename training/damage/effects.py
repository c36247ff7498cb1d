"""What happens to speech before it reaches a restorer, on tensors: waves (B, N) at 48 kHz.

Every effect keeps speech where it was in time, so that the clean recording stays its target, and
draws anew for every row.
"""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor

from ..data.corpus import RATE_HZ
from .draws import Draw

FRAME = RATE_HZ // 50
LOW_PASS_HZ = (1500.0, 16_000.0)
LATE = RATE_HZ // 400
"""Samples after the direct sound from which on a response is reverberation: 2.5 ms."""


def active_level(wave: Tensor) -> Tensor:
    """RMS (B, 1) of the louder half of the 20 ms frames, so that pauses do not count."""
    count = max(1, wave.shape[1] // FRAME)
    frames = F.pad(wave, (0, max(0, FRAME - wave.shape[1])))[:, : count * FRAME]
    power = frames.reshape(-1, count, FRAME).square().mean(2).sort(1).values[:, count // 2 :]
    return torch.sqrt(power.mean(1, keepdim=True) + 1e-12)


def chosen(share: float | Tensor, wave: Tensor, changed: Tensor, draw: Draw) -> Tensor:
    """The changed wave in a share of the rows, the other in the rest."""
    return wave + draw.coin(len(wave), share) * (changed - wave)


def frequencies_hz(wave: Tensor) -> Tensor:
    """(bins,) of the Fourier transform of a whole wave."""
    return torch.as_tensor(torch.fft.rfftfreq(wave.shape[1], 1 / RATE_HZ, device=wave.device))


def filtered(wave: Tensor, response: Tensor) -> Tensor:
    """The wave through a response (B, bins), real or complex."""
    made: Tensor = torch.fft.irfft(torch.fft.rfft(wave) * response, wave.shape[1])
    return made


def convolved(wave: Tensor, response: Tensor, delay: Tensor | None = None) -> Tensor:
    """Causal convolution with a response (B, M), cut to N; `delay` samples (B,) are taken off."""
    length = wave.shape[1]
    size = 1 << (length + response.shape[1] - 1).bit_length()
    spectrum = torch.fft.rfft(wave, size) * torch.fft.rfft(response, size)
    made: Tensor = torch.fft.irfft(spectrum, size)
    if delay is None:
        return made[:, :length]
    places = torch.arange(length, device=wave.device)[None] + delay[:, None]
    return torch.gather(made, 1, places)


def smooth_gain(frequency_hz: Tensor, rows: int, draw: Draw, *, corners: int, db: float) -> Tensor:
    """Gains (rows, bins) between random corners of `db` standard deviation, 60 Hz to 24 kHz."""
    low, high = math.log(60), math.log(RATE_HZ / 2)
    heights = draw.normal(rows, corners) * db
    place = (frequency_hz.clamp(min=60).log() - low) / (high - low) * (corners - 1)
    below = place.clamp(0, corners - 1.001).long()
    share = (place - below).clamp(0, 1)
    curve = heights[:, below] * (1 - share) + heights[:, (below + 1).clamp(max=corners - 1)] * share
    return torch.as_tensor(10 ** (curve / 20))


def slow_curve(rows: int, count: int, points: Tensor) -> Tensor:
    """Straight lines (rows, count) between points (rows, P)."""
    return F.interpolate(points[:, None], count, mode="linear", align_corners=True)[:, 0]


def reverberate(wave: Tensor, rooms: Tensor, direct: Tensor, draw: Draw) -> Tensor:
    """In rooms (R, M) whose direct sounds come at samples (R,), tails shortened and softened."""
    rows = len(wave)
    which = draw.below(len(rooms), rows)
    response, begin = rooms[which], direct[which]
    time_s = torch.arange(rooms.shape[1], device=wave.device)[None] / RATE_HZ
    late = (time_s * RATE_HZ > begin[:, None] + LATE).float()
    decay = torch.exp(-time_s * draw.uniform(rows, 0.0, 6.0) * draw.coin(rows, 0.5))
    tail = draw.uniform(rows, 0.3, 1.0) * decay
    wet = convolved(wave, response * (1 + late * (tail - 1)), begin)
    return wet * active_level(wave) / (active_level(wet) + 1e-6)


def low_pass_response(wave: Tensor, draw: Draw) -> Tensor:
    """Responses (B, bins) of low-passes of several families, half of them of minimum phase."""
    rows, ratio = len(wave), frequencies_hz(wave)[None] / draw.log_uniform(len(wave), *LOW_PASS_HZ)
    butterworth = 1 / torch.sqrt(1 + ratio ** (2 * torch.round(draw.uniform(rows, 4, 10.49))))
    steep = torch.sigmoid((1 - ratio) * draw.uniform(rows, 40, 400))
    gentle = torch.exp(-0.5 * math.log(2) * ratio ** draw.uniform(rows, 2, 4))
    family = draw.uniform(rows)
    magnitude = torch.where(family < 0.4, butterworth, torch.where(family < 0.85, steep, gentle))
    leak = 10 ** -draw.uniform(rows, 2.5, 6.0) * draw.coin(rows, 0.5)
    magnitude = torch.maximum(magnitude, leak * (family < 0.85))
    causal = draw.coin(rows, 0.5) > 0
    return torch.where(causal, minimum_phase(magnitude), magnitude.to(torch.complex64))


def minimum_phase(magnitude: Tensor) -> Tensor:
    """The complex response of minimum phase with magnitudes (B, bins), by the cepstrum."""
    cepstrum = torch.fft.irfft(torch.log(magnitude.clamp(min=1e-5)))
    size = cepstrum.shape[1]
    fold = torch.zeros(size, device=magnitude.device)
    fold[0] = fold[size // 2] = 1.0
    fold[1 : size // 2] = 2.0
    response = torch.exp(torch.fft.rfft(cepstrum * fold))
    return torch.as_tensor(response[:, : magnitude.shape[1]])


def high_pass_response(wave: Tensor, draw: Draw) -> Tensor:
    """Responses (B, bins) of high-passes at 80 to 400 Hz, as of small microphones."""
    ratio = draw.uniform(len(wave), 80, 400) / frequencies_hz(wave).clamp(min=1)
    order = torch.round(draw.uniform(len(wave), 0.5, 3.49))
    return 1 / (1 + ratio ** (2 * order))


def low_pass(wave: Tensor, draw: Draw) -> Tensor:
    """The top taken away above 1.5 to 16 kHz."""
    return filtered(wave, low_pass_response(wave, draw))


def clip(wave: Tensor, draw: Draw) -> Tensor:
    """Overload: what stands above a share of the peak, or of the loud samples, is cut or bent."""
    rows = len(wave)
    peak = wave.abs().amax(1, keepdim=True) + 1e-9
    rare = torch.quantile(wave.abs()[:, ::16], 0.97, dim=1, keepdim=True)
    by_peak = peak * draw.uniform(rows, 0.08, 0.7)
    by_level = torch.maximum(rare * draw.uniform(rows, 0.6, 1.6), peak * 0.05)
    limit = torch.where(draw.coin(rows, 0.5) > 0, by_peak, by_level)
    hard = torch.minimum(torch.maximum(wave, -limit), limit)
    soft = limit * torch.tanh(wave / limit)
    return torch.where(draw.coin(rows, 0.7) > 0, hard, soft)


def wander(wave: Tensor, draw: Draw) -> Tensor:
    """A level that moves by some decibels over seconds, as when a speaker moves."""
    points = max(2, wave.shape[1] // (RATE_HZ // 2))
    gain_db = slow_curve(len(wave), wave.shape[1], draw.normal(len(wave), points) * 2.5)
    return torch.as_tensor(wave * 10 ** (gain_db / 20))


def drop_out(wave: Tensor, draw: Draw) -> Tensor:
    """Holes of 30 ms and more, as packets that were lost; their edges take 2 ms."""
    rows, count = wave.shape
    packets = draw.uniform(rows * max(4, count // 1440)).reshape(rows, 1, -1)
    lost = F.interpolate((packets < 0.07).float(), count)
    return wave * (1 - F.avg_pool1d(lost, 97, 1, 48)[:, 0])


def requantise(wave: Tensor, draw: Draw) -> Tensor:
    """Few steps of amplitude: 7 to 12 bits below the peak."""
    steps = 2.0 ** torch.round(draw.uniform(len(wave), 7, 12))
    peak = wave.abs().amax(1, keepdim=True) + 1e-6
    return torch.round(wave / peak * steps) / steps * peak


def at_levels(clean: Tensor, damaged: Tensor, draw: Draw) -> tuple[Tensor, Tensor]:
    """Near talkers and far ones: other levels than the whole recording's, also within a crop."""
    rows, count = clean.shape
    usual, other = draw.uniform(rows, -2, 2), draw.uniform(rows, -28, 6)
    level_db = torch.where(draw.coin(rows, 0.45) > 0, usual, other)
    time = torch.arange(count, device=clean.device)[None] / count
    direction = 1 - 2 * draw.coin(rows, 0.5)
    step = torch.sigmoid((time - draw.uniform(rows)) * count / 1200 * direction)
    level_db = level_db - draw.coin(rows, 0.25) * draw.uniform(rows, 4, 24) * step
    gain = 10 ** (level_db / 20)
    return clean * gain, damaged * gain
