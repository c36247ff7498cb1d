"""Sizes of the model: plain data, saved inside the weights and read back from them."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from pathlib import Path
from reprlib import repr as shortened
from typing import Any, ClassVar

from ...core.bundle import strict
from ...core.errors import UsageError
from .frontend import FrontEnd
from .host import Host

_LARGEST_DILATION = 1024


@dataclass(frozen=True)
class Stack:
    """A stack of ConvNeXt blocks: width, hidden width, one dilation per block."""

    dim: int
    hidden: int
    dilations: tuple[int, ...]

    def __post_init__(self) -> None:
        """Refuse sizes that no network has; raises ValueError."""
        if (
            min(self.dim, self.hidden, *self.dilations, 1) < 1
            or max(self.dilations, default=0) > 64
        ):
            raise ValueError(f"{self}: sizes are 1 or more, dilations 1 to 64")


@dataclass(frozen=True)
class Bands:
    """Neighbouring bands of equal width: how many, and the bins of each."""

    count: int
    bins: int

    @property
    def span(self) -> int:
        """Bins of all of them."""
        return self.count * self.bins


@dataclass(frozen=True)
class Zone:
    """How near to one gains are drawn to one: in silent bins, and how much farther in loud ones.

    Widths of compressed gains. From .01 on, `least` keeps their squares above zero in fp16, too.
    """

    least: float
    more: float

    def __post_init__(self) -> None:
        """Refuse widths that no zone has; raises ValueError."""
        if not (1e-6 <= self.least <= 1 and 0 <= self.more <= 1):
            raise ValueError(f"{self}: least is 1e-6 to 1, more 0 to 1")


REVISION = 8
"""Counts changes of what the networks compute from the same weights."""


@dataclass(frozen=True)
class ModelConfig:
    """Everything needed to build the networks; `edge` is the default."""

    name: str = "edge"
    front: FrontEnd = field(default_factory=FrontEnd)
    recovery: Stack = Stack(256, 768, (1, 2, 4, 8, 1, 2, 4, 8))
    recovery_phase_bins: int = 256
    """Lowest bins whose real and imaginary parts the recovery sees, not only their magnitude."""
    recovery_bands: Stack = Stack(48, 96, (1, 1, 1, 1, 1, 1))
    """Blocks that see time and frequency, with the same weights in every band."""
    recovery_low: Bands = Bands(24, 16)
    """From the second bin on, to 9 kHz: narrow ones, which see harmonics and their phases."""
    recovery_high: Bands = Bands(10, 64)
    """All bins above."""
    encoder_fine: Stack = Stack(192, 576, (1, 1))
    encoder: Stack = Stack(256, 768, (1, 1, 1))
    denoiser: Stack = Stack(256, 768, (1, 2, 4, 1, 2, 4, 1, 2))
    decoder: Stack = Stack(256, 768, (1, 2, 4, 1, 2, 4, 1, 1))
    recovery_zone: Zone = Zone(0.01, 0.4)
    """This and the next as weights have them that do not tell."""
    decoder_zone: Zone = Zone(0.2, 0.0)
    revision: int = REVISION

    family: ClassVar[str] = "hiresldm"

    @property
    def host(self) -> Host:
        """What surrounds these networks."""
        return Host(self.front)

    def __post_init__(self) -> None:
        """Refuse bands that leave bins out, or want more; raises ValueError."""
        wanted = 1 + self.recovery_low.span + self.recovery_high.span
        if wanted != self.front.bins:
            raise ValueError(
                f"recovery's bands and the lowest bin make {wanted} bins, not {self.front.bins}"
            )

    def to_json(self) -> str:
        """The configuration as one line of JSON, for safetensors metadata."""
        return json.dumps(asdict(self), separators=(",", ":"))

    @staticmethod
    def from_json(text: str) -> ModelConfig:
        """Read back `to_json`.

        Raises ValueError on an unknown key, a value of another type, sizes that do not belong
        together, another revision, and on other text.
        """
        values = strict.parsed(text)
        revision = values.get("revision") if isinstance(values, dict) else None
        if revision != REVISION:
            raise ValueError(
                f"they are of revision {shortened(revision)} of the networks, and this version "
                f"computes revision {REVISION} alone; train them anew, or use the version that "
                "made them"
            )
        return strict.built(ModelConfig, values)


EDGE = ModelConfig(recovery_zone=Zone(0.01, 0.5), decoder_zone=Zone(0.05, 0.8))
BASE = ModelConfig(
    name="base",
    recovery_zone=EDGE.recovery_zone,
    decoder_zone=EDGE.decoder_zone,
    recovery=Stack(512, 1536, (1, 2, 4, 8, 1, 2, 4, 8)),
    recovery_bands=Stack(96, 192, (1, 1, 1, 1, 1, 1)),
    encoder_fine=Stack(384, 1152, (1, 1)),
    encoder=Stack(512, 1536, (1, 1, 1, 1)),
    denoiser=Stack(768, 2304, (1, 2, 4, 1, 2, 4, 1, 2, 4, 1, 2, 4)),
    decoder=Stack(512, 1536, (1, 2, 4, 1, 2, 4, 1, 1)),
)


def named(name: str) -> ModelConfig:
    """The configuration called `edge` or `base`, or that of a JSON file: what differs from `edge`.

    Raises `UsageError` on another name, and on a file that is no such JSON.
    """
    for config in (EDGE, BASE):
        if config.name == name:
            return config
    if not Path(name).is_file():
        raise UsageError(f"no model configuration '{name}'; there are edge, base and JSON files")
    try:
        return _differing(strict.parsed(Path(name).read_bytes()))
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise UsageError(f"{name}: not a model configuration: {error}") from error


def _differing(changes: dict[str, Any]) -> ModelConfig:
    values = asdict(EDGE)
    for key, value in changes.items():
        values[key] = {**values[key], **value} if isinstance(value, dict) else value
    return ModelConfig.from_json(json.dumps(values))
