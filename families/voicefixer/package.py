"""The public package's networks, imported without what its own start would do.

`voicefixer` downloads checkpoints whenever it is imported; its inner modules do not.
"""

from __future__ import annotations

import sys
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec, module_from_spec
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.utils import parametrize

from ...core.errors import BackendMissingError
from ..gru import replaced
from .host import HOP, MELS, N_FFT, RATE_HZ

PACKAGE = "voicefixer"
_CLOSED = (PACKAGE, f"{PACKAGE}.restorer", f"{PACKAGE}.vocoder")
_BLOCK = 64


class Analysis(nn.Module):
    """Mel magnitudes (1, T, 128), T above 64 -> restored log10 mel of the same shape."""

    def __init__(self, given: Any) -> None:
        super().__init__()
        self.denoiser, self.unet = given.denoiser, given.unet

    def forward(self, mel: Tensor) -> Tensor:
        noisy = _log(mel)
        clean = _log(self.denoiser(mel[:, None])[:, 0] * mel)
        frames = mel.shape[1]
        # By index: of a slice torch would have to prove that it lies inside.
        whole = torch.arange(_BLOCK * ((frames + _BLOCK - 1) // _BLOCK)).int()
        padded = [
            torch.index_select(F.pad(x, (0, 0, 0, _BLOCK - 1)), 1, whole) for x in (noisy, clean)
        ]
        added = self._completed(torch.stack(padded, dim=1)) + padded[1]
        return torch.index_select(added, 1, torch.arange(frames).int())

    def _completed(self, x: Tensor) -> Tensor:
        """What the UNet adds (1, 64 n, 128) to the clean one of two log mels (1, 2, 64 n, 128)."""
        unet, skipped = self.unet, []
        x = x[..., :-1]
        for index in range(1, 7):
            x, skip = unet.get_submodule(f"encoder_block{index}")(x)
            skipped.append(skip)
        x = unet.conv_block7(x)
        for index in range(1, 7):
            x = unet.get_submodule(f"decoder_block{index}")(x, skipped.pop())
        x = unet.after_conv2(unet.after_conv_block1(x))
        return F.pad(x, (0, 1))[:, 0]


class Vocoder(nn.Module):
    """Normalised mel (1, T, 128) -> wave (1, T, 441), a frame after the other."""

    def __init__(self, given: Any) -> None:
        super().__init__()
        self.condnet, self.generator = given.condnet, given.generator

    def forward(self, mel: Tensor) -> Tensor:
        wave: Tensor = self.generator(self.condnet(mel.transpose(1, 2)))
        return wave.reshape(1, -1, HOP)


class Affine(nn.Module):
    """A batch norm of trained statistics, channels on axis 1 of four."""

    def __init__(self, scale: Tensor, shift: Tensor) -> None:
        super().__init__()
        self.scale, self.shift = nn.Parameter(scale), nn.Parameter(shift)

    def forward(self, x: Tensor) -> Tensor:
        return x * self.scale[:, None, None] + self.shift[:, None, None]


def originals() -> tuple[nn.Module, nn.Module]:
    """The package's restorer of mels and its vocoder, with the weights of their constructors.

    Raises `BackendMissingError` without the packages.
    """
    try:
        with _doors_closed(), warnings.catch_warnings():
            warnings.simplefilter("ignore")  # old calls of torch, odd escapes in texts
            from voicefixer.restorer.model import Generator as Restorer
            from voicefixer.vocoder.config import Config
            from voicefixer.vocoder.model.generator import Generator

            Config.refresh(RATE_HZ)  # sizes are the class's own, read by constructors
            return Restorer(MELS, N_FFT // 2 + 1, 2), Generator(Config.cin_channels)
    except ImportError as error:
        raise BackendMissingError(
            f"VoiceFixer's networks need packages that are not here ({error}); "
            "install them with: pip install 'hiresldm[families]' && "
            "pip install --no-deps voicefixer==0.1.3"
        ) from error


def exportable(restorer: nn.Module, vocoder: nn.Module) -> tuple[Analysis, Vocoder]:
    """The two, changed in place to what every format holds: norms folded, GRUs replaced."""
    return Analysis(_without_norms(replaced(restorer))), Vocoder(_plain(vocoder))


@contextmanager
def _doors_closed() -> Iterator[None]:
    """Inside, the package's modules are imported without running its `__init__`s."""
    for name in _CLOSED:
        spec = find_spec(name)
        if spec is None:
            raise ModuleNotFoundError(f"No module named '{name}'")
        sys.modules[name] = module_from_spec(spec)  # has a path, was not executed
    try:
        yield
    finally:
        for name in [n for n in sys.modules if n == PACKAGE or n.startswith(f"{PACKAGE}.")]:
            del sys.modules[name]


def _log(mel: Tensor) -> Tensor:
    return torch.log10(torch.clamp(mel, min=1e-8))


def _plain(module: nn.Module) -> nn.Module:
    """Weight norms folded into weights, and layers left out whose results are thrown away."""
    for layer in list(module.modules()):
        if getattr(layer, "no_skip", False):
            layer.skip_conv = nn.Identity()
        if parametrize.is_parametrized(layer, "weight"):
            parametrize.remove_parametrizations(layer, "weight")
            weight: Any = layer.weight  # a buffer now
            del layer.weight
            layer.weight = nn.Parameter(weight.detach())
    return module


def _without_norms(module: nn.Module) -> nn.Module:
    """Batch norms folded into the convolution before them, or made `Affine`."""
    for block in list(module.modules()):
        if hasattr(block, "bn2"):
            _fold(block.get_submodule("conv1"), block.get_submodule("bn2"))
            block.bn2 = nn.Identity()
    for parent in list(module.modules()):
        for name, child in list(parent.named_children()):
            if isinstance(child, nn.BatchNorm2d):
                setattr(parent, name, Affine(*_terms(child)))
    return module


def _fold(layer: Any, norm: Any) -> None:
    """A convolution without a bias takes in the norm that follows it."""
    scale, shift = _terms(norm)
    layer.weight = nn.Parameter(layer.weight.detach() * scale[:, None, None, None])
    layer.bias = nn.Parameter(shift)


def _terms(norm: Any) -> tuple[Tensor, Tensor]:
    """Scale and shift of a batch norm in use."""
    scale = norm.weight / torch.sqrt(norm.running_var + norm.eps)
    return scale.detach(), (norm.bias - norm.running_mean * scale).detach()
