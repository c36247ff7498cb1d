"""GTCRN (Rong 2024): a mask for a spectrum of 257 bins, from some 24,000 trained weights.

Tensors are (B, C, T, F) inside: channels, frames, bands.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ..gru import Gru

BINS = 257
LOWEST = 65
"""Bins that are bands of their own; all above share `BANDS` bands."""
BANDS = 64
CHANNELS = 16
_HALF, _WIDTH = CHANNELS // 2, 33
_DILATIONS = (1, 2, 5)


class Gtcrn(nn.Module):
    """Spectrum (1, T, 514), real components first -> enhanced spectrum of the same shape.

    Frames see those before them alone. Layers are declared in the order in which they run.
    """

    def __init__(self) -> None:
        super().__init__()
        self.to_bands = nn.Linear(BINS - LOWEST, BANDS, bias=False)
        self.encoder = nn.ModuleList([
            Strided(Conv2d, 9, CHANNELS),
            Strided(Conv2d, CHANNELS, CHANNELS, groups=2),
            *(Temporal(dilation) for dilation in _DILATIONS),
        ])  # fmt: skip
        self.paths = nn.Sequential(DualPath(), DualPath())
        self.decoder = nn.ModuleList([
            *(Temporal(dilation) for dilation in reversed(_DILATIONS)),
            Strided(ConvTranspose2d, CHANNELS, CHANNELS, groups=2),
            Strided(ConvTranspose2d, CHANNELS, 2, is_last=True),
        ])  # fmt: skip
        self.to_bins = nn.Linear(BANDS, BINS - LOWEST, bias=False)

    def forward(self, spectrum: Tensor) -> Tensor:
        real, imaginary = spectrum.chunk(2, dim=-1)
        # A floor and no addend: torch's exporter drops what is added up to 1e-8.
        power = torch.clamp(real * real + imaginary * imaginary, min=1e-12)
        x = self._folded(torch.stack([torch.sqrt(power), real, imaginary], dim=1), self.to_bands)
        x, skipped = neighbours(x), []
        for block in self.encoder:
            x = block(x)
            skipped.append(x)
        x = self.paths(x)
        for block in self.decoder:
            x = block(x + skipped.pop())
        by_real, by_imaginary = self._folded(x, self.to_bins).unbind(1)
        enhanced = (
            real * by_real - imaginary * by_imaginary,
            imaginary * by_real + real * by_imaginary,
        )
        return torch.cat(enhanced, dim=-1)

    def _folded(self, x: Tensor, above: Callable[[Tensor], Tensor]) -> Tensor:
        return torch.cat([x[..., :LOWEST], above(x[..., LOWEST:])], dim=-1)


class Conv2d(nn.Conv2d):
    """A convolution whose weights are few, and stay float: as integers they cost 20 dB."""

    output_axis = None


class ConvTranspose2d(nn.ConvTranspose2d):
    """The same, transposed."""

    output_axis = None


class Strided(nn.Module):
    """A convolution over bands that halves them, or the reverse of one that doubles them."""

    def __init__(
        self,
        kind: type[Conv2d | ConvTranspose2d],
        inputs: int,
        outputs: int,
        *,
        groups: int = 1,
        is_last: bool = False,
    ) -> None:
        super().__init__()
        self.conv = kind(inputs, outputs, (1, 5), (1, 2), (0, 2), groups=groups)
        self.activation = nn.Tanh() if is_last else nn.PReLU(outputs)

    def forward(self, x: Tensor) -> Tensor:
        made: Tensor = self.activation(self.conv(x))
        return made


class Temporal(nn.Module):
    """Half of the channels through a causal dilated convolution, then dealt out with the others."""

    def __init__(self, dilation: int) -> None:
        super().__init__()
        self.past = 2 * dilation
        self.expand = Conv2d(3 * _HALF, CHANNELS, 1)
        self.expanded = nn.PReLU(CHANNELS)
        self.depthwise = Conv2d(
            CHANNELS, CHANNELS, 3, padding=(0, 1), dilation=(dilation, 1), groups=CHANNELS
        )
        self.filtered = nn.PReLU(CHANNELS)
        self.contract = Conv2d(CHANNELS, _HALF, 1)
        self.attention = Attention()

    def forward(self, x: Tensor) -> Tensor:
        left, right = x.chunk(2, dim=1)
        y = self.expanded(self.expand(neighbours(left)))
        y = self.filtered(self.depthwise(F.pad(y, (0, 0, self.past, 0))))
        y = self.attention(self.contract(y))
        return torch.stack([y, right], dim=2).flatten(1, 2)


class Attention(nn.Module):
    """A gain for every channel and frame, from the channels' energies so far."""

    def __init__(self) -> None:
        super().__init__()
        self.gru = Gru(_HALF, 2 * _HALF)
        self.linear = nn.Linear(2 * _HALF, _HALF)

    def forward(self, x: Tensor) -> Tensor:
        energy = x.square().mean(dim=-1).transpose(1, 2)
        gain = torch.sigmoid(self.linear(self.gru(energy)))
        return x * gain.transpose(1, 2)[..., None]


class DualPath(nn.Module):
    """GRUs along the bands of every frame, then along the frames of every band."""

    def __init__(self) -> None:
        super().__init__()
        self.along_bands = Recurrent(_HALF // 2, both_ways=True)
        self.along_frames = Recurrent(_HALF, both_ways=False)

    def forward(self, x: Tensor) -> Tensor:
        by_frame = x.permute(0, 2, 3, 1)[0]  # one recording at a time: (T, F, C)
        by_frame = by_frame + self.along_bands.norm(self.along_bands(by_frame))
        by_band = self.along_frames(by_frame.transpose(0, 1)).transpose(0, 1)
        made: Tensor = by_frame + self.along_frames.norm(by_band)
        return made.permute(2, 0, 1)[None]


class Recurrent(nn.Module):
    """Two GRUs, one for each half of the channels (B, T, C), and a norm for who adds the result."""

    def __init__(self, hidden: int, *, both_ways: bool) -> None:
        super().__init__()
        self.first = Gru(_HALF, hidden, both_ways=both_ways)
        self.second = Gru(_HALF, hidden, both_ways=both_ways)
        self.linear = nn.Linear(CHANNELS, CHANNELS)
        self.norm = nn.LayerNorm((_WIDTH, CHANNELS), eps=1e-8)

    def forward(self, x: Tensor) -> Tensor:
        low, high = x.chunk(2, dim=-1)
        made: Tensor = self.linear(torch.cat([self.first(low), self.second(high)], dim=-1))
        return made


def neighbours(x: Tensor) -> Tensor:
    """Every channel with the bands below and above beside it: (B, C, T, F) -> (B, 3 C, T, F)."""
    padded, width = F.pad(x, (1, 1)), x.shape[3]
    beside = [padded[..., shift : shift + width] for shift in range(3)]
    return torch.stack(beside, dim=2).flatten(1, 2)
