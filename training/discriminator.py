"""A discriminator: it learns to tell restored speech from clean, and how that is corrected."""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ..families.hiresldm.networks.torch_frontend import hann

TOP_HZ = 20_000.0
"""Discriminators look below this only: recordings differ above it for reasons that are not
speech."""
COMPRESSION = 0.3
FLOOR = 1e-7
"""Power added to every bin before it is compressed: silences are alike."""


@dataclass(frozen=True)
class DiscriminatorSize:
    """Channels of the layers, and (n_fft, hop) of every spectrogram that is looked at."""

    channels: tuple[int, ...]
    resolutions: tuple[tuple[int, int], ...]
    samples: int
    """How much of a crop is heard."""


SMALL = DiscriminatorSize((16, 32, 32), ((2048, 512), (512, 128)), 24_000)
"""For a CPU, where a large one costs more than all that it teaches."""
LARGE = DiscriminatorSize(
    (32, 64, 64, 64), ((2048, 512), (1024, 256), (512, 128), (256, 64)), 38_400
)


def size_for(device: torch.device) -> DiscriminatorSize:
    """The discriminator that a device bears."""
    return LARGE if device.type == "cuda" else SMALL


class SpectrumDiscriminator(nn.Module):
    """Convolutions over one compressed spectrogram of waves (B, N); gives every layer's output."""

    def __init__(
        self, channels: tuple[int, ...], n_fft: int, hop: int, sample_rate_hz: int
    ) -> None:
        super().__init__()
        self.n_fft, self.hop, self.sample_rate_hz = n_fft, hop, sample_rate_hz
        self.bins = int(TOP_HZ / sample_rate_hz * n_fft)
        pairs = zip((3, *channels[:-1]), channels, strict=True)
        self.layers = nn.ModuleList(
            nn.Conv2d(inputs, outputs, (3, 7), stride=(1, 2), padding=(1, 3))
            for inputs, outputs in pairs
        )
        self.verdict = nn.Conv2d(channels[-1], 1, 3, padding=1)

    def forward(self, wave: Tensor, bandwidth_hz: Tensor) -> list[Tensor]:
        x = self._spectrum(wave, bandwidth_hz)
        outputs = []
        for layer in self.layers:
            x = F.leaky_relu(layer(x), 0.2)
            outputs.append(x)
        return [*outputs, self.verdict(x)]

    def _spectrum(self, wave: Tensor, bandwidth_hz: Tensor) -> Tensor:
        """(B, 3, T, bins): compressed real and imaginary parts, magnitude; below the bandwidth."""
        window = hann(self.n_fft, wave.device)
        spectrum = torch.stft(
            wave, self.n_fft, self.hop, window=window, center=False, return_complex=True
        )[:, : self.bins]
        power = spectrum.real**2 + spectrum.imag**2 + FLOOR
        scale = power ** (0.5 * (COMPRESSION - 1))
        seen = torch.stack([spectrum.real * scale, spectrum.imag * scale, power * scale**2], dim=1)
        bin_hz = torch.arange(self.bins, device=wave.device) * (self.sample_rate_hz / self.n_fft)
        seen = seen * (bin_hz <= bandwidth_hz[:, None])[:, None, :, None]
        # Convolutions on a GPU would bring every tensor to this layout and back.
        return seen.transpose(2, 3).contiguous(memory_format=torch.channels_last)


class Discriminator(nn.Module):
    """One `SpectrumDiscriminator` per resolution; scores for it and corrections for the rest."""

    def __init__(self, size: DiscriminatorSize, sample_rate_hz: int) -> None:
        super().__init__()
        self.samples = size.samples
        self.discriminators = nn.ModuleList(
            SpectrumDiscriminator(size.channels, n_fft, hop, sample_rate_hz)
            for n_fft, hop in size.resolutions
        )

    def forward(self, wave: Tensor, bandwidth_hz: Tensor) -> list[list[Tensor]]:
        return [discriminator(wave, bandwidth_hz) for discriminator in self.discriminators]

    def losses(
        self, clean: Tensor, restored: Tensor, bandwidth_hz: Tensor
    ) -> tuple[Tensor, Tensor, Tensor]:
        """The discriminator's own hinge loss, and its adversarial and feature-matching ones of
        `restored`.

        The first trains the discriminator alone, the others give it no gradient (Lim 2017,
        geometric GAN).
        """
        frozen = {name: value.detach() for name, value in self.named_parameters()}
        real, made = self(clean, bandwidth_hz), self(restored.detach(), bandwidth_hz)
        heard = torch.func.functional_call(self, frozen, (restored, bandwidth_hz))
        own = [
            F.relu(1 - r[-1].float()).mean() + F.relu(1 + m[-1].float()).mean()
            for r, m in zip(real, made, strict=True)
        ]
        fooled = [-h[-1].float().mean() for h in heard]
        distances = [
            (a.float() - b.detach().float()).abs().mean() / (b.detach().float().abs().mean() + 1e-3)
            for h, r in zip(heard, real, strict=True)
            for a, b in zip(h[:-1], r[:-1], strict=True)
        ]
        return torch.stack(own).mean(), torch.stack(fooled).mean(), torch.stack(distances).mean()
