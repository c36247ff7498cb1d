"""The vocabulary shared by every room: parts, their tensors, and the files made from them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from ..families.hiresldm.frontend import FrontEnd
    from .quantization import Quantized

Array = NDArray[np.float32]
Arrays = Mapping[str, Array]
Runner = Callable[[Arrays], dict[str, Array]]
"""One part on one engine: named inputs to named outputs."""


class Precision(StrEnum):
    """What is stored and computed: int8 and int4 are weights only, w8a8 also activations."""

    FP32 = "fp32"
    FP16 = "fp16"
    INT8 = "int8"
    INT4 = "int4"
    W8A8 = "w8a8"
    MIXED = "mixed"
    PAL6 = "pal6"
    PAL4 = "pal4"


@dataclass(frozen=True)
class Dim:
    """A dynamic axis, declared once; every exporter translates it to its own words."""

    name: str
    low: int
    high: int
    example: int


@dataclass(frozen=True)
class Tensor:
    """A named float32 tensor; an axis is a number or a `Dim` (`scale` frames per unit of it)."""

    name: str
    shape: tuple[int | Dim | tuple[int, Dim], ...]

    def concrete(self, sizes: Mapping[str, int]) -> tuple[int, ...]:
        """The shape with every dynamic axis replaced by `sizes[dim.name]` (times its multiple)."""
        return tuple(_size(axis, sizes) for axis in self.shape)


def _size(axis: int | Dim | tuple[int, Dim], sizes: Mapping[str, int]) -> int:
    if isinstance(axis, int):
        return axis
    multiple, dim = axis if isinstance(axis, tuple) else (1, axis)
    return multiple * sizes[dim.name]


@dataclass(frozen=True)
class Component:
    """An exportable part: how to take it out of the model, and what goes in and comes out."""

    name: str
    build: Callable[[Any], Any]
    inputs: tuple[Tensor, ...]
    outputs: tuple[Tensor, ...]
    floor_db: Mapping[Precision, float]

    def sample(self, frames: int, seed: int) -> dict[str, Array]:
        """Random inputs of unit scale at `frames` latent frames."""
        rng = np.random.default_rng(seed)
        return {
            tensor.name: rng.standard_normal(tensor.concrete({"frames": frames})).astype(np.float32)
            for tensor in self.inputs
        }


@dataclass(frozen=True)
class File:
    """A file of a bundle, by its path inside the bundle."""

    path: str
    sha256: str


@dataclass(frozen=True)
class Artifact:
    """One part in one format and precision; `data` are the files `path` refers to."""

    component: str
    format: str
    precision: str
    path: str
    sha256: str
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    tools: Mapping[str, str]
    data: tuple[File, ...] = ()
    buckets: tuple[int, ...] = ()
    """The only numbers of latent frames it takes, rising; empty: any length."""
    gate: Mapping[str, float] = field(default_factory=dict)
    """How near to PyTorch it was when it was built, `parity_db`, and what was asked, `floor_db`."""

    @property
    def files(self) -> tuple[File, ...]:
        """Every file the artifact needs, the graph first."""
        return (File(self.path, self.sha256), *self.data)


@dataclass(frozen=True)
class ExportJob:
    """One artifact to be written below `out`.

    `module` is the torch module with float32 weights; `quantized` holds, by the key of its state
    dict, the weights that are stored as integers, the same ones for every format; `calibration`
    holds captured inputs for precisions that quantize activations.
    """

    component: Component
    module: Any
    precision: Precision
    out: Path
    front: FrontEnd
    quantized: Mapping[str, Quantized] = field(default_factory=dict)
    calibration: Sequence[Arrays] = ()


class Exporter(Protocol):
    """A module `export/to_x.py`: one file format."""

    FORMAT: str
    PRECISIONS: Sequence[Precision]

    def export(self, job: ExportJob) -> Artifact:
        """Write the part and describe what was written; raises `UsageError`, `ParityError`."""
        ...


Shapes = Mapping[str, tuple[int | None, ...]]
"""Shapes by tensor name; an axis of None takes any size."""


class Runtime(Protocol):
    """A module `runtimes/on_x.py`: one engine."""

    FORMATS: Sequence[str]

    def load(self, artifact: Artifact, root: Path, *, threads: int) -> Runner:
        """Open the artifact below `root`; raises `BackendMissingError` without the engine."""
        ...

    def shapes(self, artifact: Artifact, root: Path) -> Shapes:
        """What the artifact takes and makes, as its file declares it; raises as `load` does."""
        ...

    def settings(self) -> Mapping[str, str]:
        """Engine, version, device and hints, for reports; raises as `load` does."""
        ...
