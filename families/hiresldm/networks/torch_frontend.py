"""The front end of `core.frontend` on torch: batched and differentiable, for training.

Constants are made once for every device: a step that is held in a CUDA graph must not copy any.
"""

from __future__ import annotations

from functools import cache

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from .. import frontend
from ..frontend import FrontEnd


def stft(wave: Tensor, front: FrontEnd) -> Tensor:
    """Compressed spectrum (B, T, 2 * bins) of waves (B, N), N a multiple of the hop."""
    window = hann(front.n_fft, wave.device)
    spectrum = torch.stft(
        wave, front.n_fft, front.hop, window=window, pad_mode="constant", return_complex=True
    )
    return compress(spectrum[..., :-1].transpose(1, 2), front.compression)


def istft(compressed: Tensor, front: FrontEnd) -> Tensor:
    """Waves (B, T * hop) of compressed spectra (B, T, 2 * bins)."""
    window = hann(front.n_fft, compressed.device)
    spectrum = expand(compressed, front.compression)
    wave = _overlap_add(torch.fft.irfft(spectrum, front.n_fft) * window, front.hop)
    half, count = front.n_fft // 2, compressed.shape[1]
    inside = slice(half, half + count * front.hop)
    return wave[:, inside] / _envelope(count, front.n_fft, front.hop, compressed.device)[:, inside]


def compress(spectrum: Tensor, exponent: float) -> Tensor:
    """Complex (..., bins) to real pairs (..., 2 * bins), magnitudes raised to `exponent`."""
    scaled = spectrum * spectrum.abs().clamp(min=1e-12) ** (exponent - 1)
    return torch.cat([scaled.real, scaled.imag], dim=-1)


def expand(compressed: Tensor, exponent: float) -> Tensor:
    """Real pairs (..., 2 * bins) to complex (..., bins), undoing `compress`."""
    real, imaginary = compressed.chunk(2, dim=-1)
    power = real * real + imaginary * imaginary
    # The clamp keeps the gradient finite in silence: a negative power of zero is NaN.
    scale = power.clamp(min=1e-12) ** (0.5 / exponent - 0.5)
    return torch.complex(real * scale, imaginary * scale)


def log_mel(compressed: Tensor, front: FrontEnd) -> Tensor:
    """Natural-log mel spectrum (B, T, mel_bands) of a compressed spectrum, floored at 1e-5."""
    real, imaginary = compressed.chunk(2, dim=-1)
    levels = (real * real + imaginary * imaginary) ** (0.5 / front.compression)
    return torch.log(torch.clamp(levels @ _mel_basis(front, compressed.device), min=1e-5))


@cache
def hann(length: int, device: torch.device) -> Tensor:
    """The periodic Hann window (length,)."""
    return constant(frontend.hann(length), device)


def constant(values: np.ndarray, device: torch.device) -> Tensor:
    """Values as a tensor to be kept: one made in inference mode could never be trained with."""
    with torch.inference_mode(mode=False):
        return torch.from_numpy(values).to(device)


@cache
def _mel_basis(front: FrontEnd, device: torch.device) -> Tensor:
    return constant(frontend.mel_basis(front), device)


@cache
def _envelope(count: int, n_fft: int, hop: int, device: torch.device) -> Tensor:
    """What the squared windows of `count` frames add up to, (1, N)."""
    squares = torch.from_numpy(frontend.hann(n_fft)).square().expand(1, count, -1)
    return constant(_overlap_add(squares, hop).clamp(min=1e-6).numpy(), device)


def _overlap_add(frames: Tensor, hop: int) -> Tensor:
    """Sum frames (B, T, n) at steps of `hop` into (B, N), one hop block of all frames at a time."""
    length = frames.shape[2]
    blocks = -(-length // hop)
    cut = F.pad(frames, (0, blocks * hop - length)).reshape(*frames.shape[:2], blocks, hop)
    shifted = (F.pad(cut[:, :, i], (0, 0, i, blocks - 1 - i)) for i in range(blocks))
    return torch.stack(list(shifted)).sum(0).flatten(1)
