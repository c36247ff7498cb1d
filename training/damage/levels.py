"""The level at which the networks are given speech, as `core.loudness` has it, on tensors."""

from __future__ import annotations

from functools import cache

import torch
from torch import Tensor

from ...core.signal import loudness
from ...core.signal.rates import RATE_HZ
from ...families.hiresldm.frontend import FrontEnd


def model_gain(wave: Tensor) -> Tensor:
    """The gain (B, 1) that brings waves (B, N) at 48 kHz to the front end's loudness, 1 in silence.

    Both as on the host: what is learnt is what will be heard.
    """
    level_lufs = integrated_lufs(wave)
    gain = 10 ** ((FrontEnd().loudness_lufs - level_lufs) / 20)
    return torch.where(level_lufs < loudness.SILENCE_LUFS, 1.0, gain)


def integrated_lufs(wave: Tensor) -> Tensor:
    """Loudness (B, 1) of waves (B, N) as `core.loudness` measures it."""
    hop = min(round(loudness.HOP_S * RATE_HZ), wave.shape[1])
    spectrum = torch.fft.rfft(wave.unfold(1, hop, hop))
    powers = spectrum.abs().square() @ _weights(hop, wave.device) / hop**2
    power = powers.unfold(1, min(loudness.BLOCK_HOPS, powers.shape[1]), 1).mean(-1)
    loudest = power.amax(1, keepdim=True)
    heard = power > loudest * 10 ** (loudness.PAUSE_GATE_LU / 10)
    gate = _mean(power, heard) * 10 ** (loudness.RELATIVE_GATE_LU / 10)
    mean = _mean(power, heard & (power > gate))
    return loudness.OFFSET_DB + 10 * torch.log10(mean.clamp(min=1e-12))


def _mean(power: Tensor, kept: Tensor) -> Tensor:
    return (power * kept).sum(1, keepdim=True) / kept.sum(1, keepdim=True).clamp(min=1)


@cache
def _weights(length: int, device: torch.device) -> Tensor:
    return torch.from_numpy(loudness.power_weights(length, RATE_HZ)).float().to(device)
