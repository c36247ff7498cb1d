"""The front end of `core.frontend` on torch: batched and differentiable, for training."""

from __future__ import annotations

import torch
from torch import Tensor

from ..core import frontend
from ..core.frontend import FrontEnd


def stft(wave: Tensor, front: FrontEnd) -> Tensor:
    """Compressed spectrum (B, T, 2 * bins) of waves (B, N), N a multiple of the hop."""
    window = torch.from_numpy(frontend.hann(front.n_fft)).to(wave)
    spectrum = torch.stft(
        wave, front.n_fft, front.hop, window=window, pad_mode="constant", return_complex=True
    )
    return compress(spectrum[..., :-1].transpose(1, 2), front.compression)


def istft(compressed: Tensor, front: FrontEnd) -> Tensor:
    """Waves (B, T * hop) of compressed spectra (B, T, 2 * bins)."""
    spectrum = expand(compressed, front.compression).transpose(1, 2)
    window = torch.from_numpy(frontend.hann(front.n_fft)).to(compressed)
    length = compressed.shape[1] * front.hop
    return torch.istft(spectrum, front.n_fft, front.hop, window=window, length=length)


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
    basis = torch.from_numpy(frontend.mel_basis(front)).to(compressed)
    return torch.log(torch.clamp(levels @ basis, min=1e-5))
