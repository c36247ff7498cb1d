"""Sizes of the networks: plain data, saved inside the weights and read back from them."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from typing import ClassVar

from ...core.bundle import strict
from ...core.errors import UsageError
from .host import Host


@dataclass(frozen=True)
class Config:
    """Everything needed to build the networks and their host; `full` is what was published."""

    name: str = "full"
    unet_blocks: int = 4
    unet_middle_blocks: int = 2
    autoencoder_dim: int = 1024
    wavenet_layers: int = 30
    wavenet_dim: int = 512
    vocoder_dim: int = 96
    mel_mean: float = 0.0
    mel_std: float = 1.0
    z_scale: float = 6.0

    family: ClassVar[str] = "resemble-enhance"

    def __post_init__(self) -> None:
        """Refuse sizes that no networks have; raises ValueError."""
        blocks = (self.unet_blocks, self.unet_middle_blocks, self.wavenet_layers)
        dims = (self.autoencoder_dim, self.wavenet_dim, self.vocoder_dim)
        if min(*blocks, *dims) < 1 or max(dims) > 4096 or max(blocks) > 100:
            raise ValueError(f"{self}: sizes are 1 or more, widths up to 4096, depths up to 100")
        if self.unet_blocks > 8 or self.autoencoder_dim % 32 or self.wavenet_dim % 2:
            raise ValueError(f"{self}: no networks have these sizes")

    @property
    def host(self) -> Host:
        """What surrounds these networks."""
        frames = 2**self.unet_blocks
        return Host(self.mel_mean, self.mel_std, self.z_scale, denoiser_frames=frames)

    def to_json(self) -> str:
        """The configuration as one line of JSON."""
        return json.dumps(asdict(self), separators=(",", ":"))


FULL = Config()
TINY = Config(
    name="tiny",
    unet_blocks=1,
    unet_middle_blocks=1,
    autoencoder_dim=128,
    wavenet_layers=2,
    wavenet_dim=32,
    vocoder_dim=8,
)


def named(name: str | None) -> Config:
    """The configuration called `full` (None as well) or `tiny`; raises `UsageError` for others."""
    for config in (FULL, TINY):
        if config.name == (name or FULL.name):
            return config
    raise UsageError(f"there is no size '{name}' of {Config.family}; accepted: full, tiny")


def from_json(text: str) -> Config:
    """Read back `to_json`; raises ValueError for other text."""
    return strict.built(Config, strict.parsed(text))
