"""A light adversary: it learns to tell restored speech from clean, and how that is corrected."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

CHANNELS = (16, 32, 32, 32)
RESOLUTIONS = ((1024, 256), (256, 64))
"""(n_fft, hop): one critic that sees harmonics, one that sees glottal pulses."""
TOP_HZ = 16_000.0
"""Critics look below this only: recordings differ above it for reasons that are not speech."""
COMPRESSION = 0.3


class SpectrumCritic(nn.Module):
    """Convolutions over one compressed spectrogram of waves (B, N); gives every layer's output."""

    def __init__(self, n_fft: int, hop: int, sample_rate_hz: int) -> None:
        super().__init__()
        self.n_fft, self.hop = n_fft, hop
        self.bins = int(TOP_HZ / sample_rate_hz * n_fft)
        pairs = zip((2, *CHANNELS[:-1]), CHANNELS, strict=True)
        self.layers = nn.ModuleList(
            nn.Conv2d(inputs, outputs, (3, 7), stride=(1, 2), padding=(1, 3))
            for inputs, outputs in pairs
        )
        self.verdict = nn.Conv2d(CHANNELS[-1], 1, 3, padding=1)

    def forward(self, wave: Tensor) -> list[Tensor]:
        x = self._spectrum(wave)
        outputs = []
        for layer in self.layers:
            x = F.leaky_relu(layer(x), 0.2)
            outputs.append(x)
        return [*outputs, self.verdict(x)]

    def _spectrum(self, wave: Tensor) -> Tensor:
        window = torch.hann_window(self.n_fft, dtype=wave.dtype, device=wave.device)
        spectrum = torch.stft(
            wave, self.n_fft, self.hop, window=window, center=False, return_complex=True
        )[:, : self.bins]
        power = spectrum.real**2 + spectrum.imag**2
        scale = power.clamp(min=1e-6) ** (0.5 * (COMPRESSION - 1))
        pair = torch.stack([spectrum.real * scale, spectrum.imag * scale], dim=1)
        return pair.transpose(2, 3)  # (B, 2, T, bins)


class Critic(nn.Module):
    """One `SpectrumCritic` per resolution; scores for the critic and corrections for the rest."""

    def __init__(self, sample_rate_hz: int) -> None:
        super().__init__()
        self.critics = nn.ModuleList(
            SpectrumCritic(n_fft, hop, sample_rate_hz) for n_fft, hop in RESOLUTIONS
        )

    def forward(self, wave: Tensor) -> list[list[Tensor]]:
        return [critic(wave) for critic in self.critics]

    def losses(self, clean: Tensor, restored: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """The critic's own hinge loss, and its adversarial and feature-matching ones of `restored`.

        The first trains the critic alone, the others give it no gradient (Lim 2017, geometric GAN).
        """
        frozen = {name: value.detach() for name, value in self.named_parameters()}
        real, made = self(clean), self(restored.detach())
        heard = torch.func.functional_call(self, frozen, (restored,))
        own = [
            F.relu(1 - r[-1]).mean() + F.relu(1 + m[-1]).mean()
            for r, m in zip(real, made, strict=True)
        ]
        fooled = [-h[-1].mean() for h in heard]
        distances = [
            (a - b.detach()).abs().mean() / (b.detach().abs().mean() + 1e-3)
            for h, r in zip(heard, real, strict=True)
            for a, b in zip(h[:-1], r[:-1], strict=True)
        ]
        return torch.stack(own).mean(), torch.stack(fooled).mean(), torch.stack(distances).mean()
